//! One connection: transport, link, CONNECT, CONNACK, and how it ends.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::time::Duration;

use paho_mqtt as paho;
use secrecy::ExposeSecret;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connack::Connack;
use super::events::EventSender;
use super::frames::MAXIMUM_PACKET_SIZE;
use super::guard::Guard;
use super::link::{Link, LinkEnd};
use super::pulse::Pulse;
use super::receipt::{Gate, Key};
use super::{ClientOptions, MqttVersion, SessionPolicy, properties};
use crate::error::Error;
use crate::layer::Layer;
use crate::shortage;
use crate::timeline::{BrokerLimits, Detail, Timeline};
use crate::transport::{self, map_read_error};

/// A connection that the broker has accepted. Dropping it ends it without a DISCONNECT.
pub(super) struct Connection {
    // In this order: paho waits for its link.
    link: RunningLink,
    guard: Guard,
    pub(super) gate: Gate,
    pub(super) session_present: bool,
    /// How many QoS 1 messages the broker takes at a time.
    pub(super) window: usize,
    /// The broker's limits, from its CONNACK.
    pub(super) limits: BrokerLimits,
}

/// Whether the broker shall forget an earlier session (MQTT 5 Clean Start).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    Clean,
    Resume,
}

impl Connection {
    /// Connects, within [`ClientOptions::connect_timeout`]. Messages come once the key has been turned.
    pub(super) async fn open(
        options: &ClientOptions,
        events: &EventSender,
        session: Session,
        timeline: &Timeline,
    ) -> Result<(Self, Key), Error> {
        let after = options.connect_timeout;
        match timeout(after, attempt(options, events, session, timeline)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Transport(transport::Error::ConnectTimeout {
                target: options.dialer.target(),
                proxy: options.dialer.proxy(),
                seen: timeline.waiting_after(),
                waiting_for: timeline.waiting_for().unwrap_or(Layer::Mqtt),
                after,
            })),
        }
    }

    pub(super) fn client(&self) -> &paho::AsyncClient {
        self.guard.client()
    }

    /// The next thing that paho reports.
    pub(super) async fn event(&self) -> paho::Event {
        self.guard.event().await
    }

    /// Sends DISCONNECT, waits until the link has sent it and closed the transport, for `limit` at most, and ends the
    /// connection. No message comes after that.
    pub(super) async fn disconnect(mut self, options: &ClientOptions, limit: Duration) {
        let farewell = async {
            match self.guard.disconnect(disconnect_options(options)).await {
                Ok(()) => drop(self.link.end().await),
                Err(error) => log::debug!("DISCONNECT could not be sent: {error}"),
            }
        };
        if timeout(limit, farewell).await.is_err() {
            log::warn!("the connection could not be closed in an orderly way");
        }
        self.abandon().await;
    }

    /// Ends it without a DISCONNECT. No message comes after that.
    pub(super) async fn abandon(self) {
        let Self { link, guard, gate, .. } = self;
        drop((link, guard));
        gate.closed().await;
    }

    /// The error for a connection that has ended without a DISCONNECT of the broker's.
    pub(super) async fn lost(mut self, options: &ClientOptions) -> Error {
        let target = options.dialer.target();
        let source = match self.link.end().await {
            // A broker of MQTT 5 says why, and ends TLS properly: this is the network's doing, or a proxy's. With MQTT
            // 3.1.1 it may be a refusal, for which that has no words.
            LinkEnd::Truncated if options.mqtt_version == MqttVersion::V5 => {
                Some("it was closed without a close_notify".into())
            }
            LinkEnd::BrokerClosed | LinkEnd::Truncated => None,
            LinkEnd::Paho | LinkEnd::Stopped => Some("the MQTT library gave it up".into()),
            LinkEnd::Transport(error) => match map_read_error(error, &target) {
                Ok(rejected @ transport::Error::CertificateRejected { .. }) => return rejected.into(),
                Ok(error) => Some(error.into()),
                Err(error) => Some(Error::ended(target.clone(), error).into()),
            },
            LinkEnd::Local(error) => Some(error.into()),
            LinkEnd::Silence(patience) => {
                Some(format!("the broker was silent for {} s", patience.as_secs_f32()).into())
            }
            LinkEnd::Violation(violation) => return Error::Protocol { target, source: violation.into() },
            LinkEnd::NotMqtt(answer) => return Error::NotMqtt { target, answer },
            LinkEnd::Panicked(panic) => return Error::Panicked { part: LINK, panic },
        };
        Error::Disconnected { target, code: None, reason_string: None, source }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("session_present", &self.session_present).finish_non_exhaustive()
    }
}

async fn attempt(
    options: &ClientOptions,
    events: &EventSender,
    session: Session,
    timeline: &Timeline,
) -> Result<(Connection, Key), Error> {
    let stream = options.dialer.dial(timeline).await?;
    let step = timeline.step(Layer::Mqtt);
    let (link, key, gate) =
        Link::open(options.mqtt_version, session, events.clone()).await.map_err(Error::Link)?;
    let create = create_options(options);
    let connect = connect_options(options, session, &link.uri())?;
    let socket = link.socket();
    let (sender, connack) = oneshot::channel();
    let pulse = Pulse::new(options.keep_alive);
    let mut link = RunningLink::start(|stop| link.run(stream, pulse, sender, stop));
    let guard = match Guard::connect(create, connect, socket).await {
        Ok(guard) => guard,
        Err(error) => {
            // Before the link gives its descriptors back: the MQTT library calls a shortage a general failure.
            let shortage = shortage::now();
            let end = link.end().await;
            // The link has ended, so the CONNACK is there or never comes.
            return Err(refusal(options, connack.await.ok(), end, shortage, Some(error)));
        }
    };
    let Ok(connack) = connack.await else {
        return Err(refusal(options, None, link.end().await, None, None));
    };
    let Connack { session_present, limits, .. } = connack;
    let window =
        limits.receive_maximum.map_or(options.window(), |maximum| options.window().min(maximum.into()));
    step.done(Detail::Mqtt { version: options.mqtt_version, session_present, limits });
    Ok((Connection { link, guard, gate, session_present, window, limits }, key))
}

/// The error for a CONNECT that failed: the transport's or the broker's word, not paho's.
fn refusal(
    options: &ClientOptions,
    connack: Option<Connack>,
    end: LinkEnd,
    shortage: Option<io::Error>,
    error: Option<paho::Error>,
) -> Error {
    let target = options.dialer.target();
    let client_id = options.client_id.clone();
    let auth = options.dialer.auth_kind();
    let asked = Box::new(options.asked());
    if let Some(Connack { refusal: Some(code), reason_string, .. }) = connack {
        return Error::ConnectRefused { target, client_id, code, reason_string, auth, asked };
    }
    match end {
        LinkEnd::BrokerClosed | LinkEnd::Truncated => {
            Error::ClosedBeforeConnack { target, client_id, auth, asked }
        }
        LinkEnd::Transport(error) => match error.downcast() {
            Ok(answer) => Error::NotMqtt { target, answer },
            Err(error) => match map_read_error(error, &target) {
                Ok(error) => error.into(),
                Err(error) => Error::ended(target, error),
            },
        },
        LinkEnd::Violation(violation) => Error::Protocol { target, source: violation.into() },
        LinkEnd::NotMqtt(answer) => Error::NotMqtt { target, answer },
        LinkEnd::Local(error) => Error::Link(error),
        LinkEnd::Panicked(panic) => Error::Panicked { part: LINK, panic },
        // No PINGREQ goes out before CONNACK.
        LinkEnd::Silence(_) | LinkEnd::Paho | LinkEnd::Stopped => match shortage {
            Some(shortage) => Error::Link(shortage),
            None => Error::Mqtt(error.unwrap_or(paho::Error::Failure).into()),
        },
    }
}

/// The link, as errors name it.
const LINK: &str = "private link to the MQTT library";

fn create_options(options: &ClientOptions) -> paho::CreateOptions {
    let version = match options.mqtt_version {
        MqttVersion::V5 => paho::MQTT_VERSION_5,
        MqttVersion::V311 => paho::MQTT_VERSION_3_1_1,
    };
    // It counts messages in flight too; the outbox keeps far below it.
    let buffered = options.window().saturating_mul(10);
    paho::CreateOptionsBuilder::new()
        // A name only: the connect options hold the link.
        .server_uri(format!("tcp://{}", options.dialer.target()))
        .client_id(options.client_id.as_str())
        .mqtt_version(version)
        .persistence(None)
        .max_buffered_messages(i32::try_from(buffered).unwrap_or(i32::MAX))
        .finalize()
}

fn connect_options(
    options: &ClientOptions,
    session: Session,
    uri: &str,
) -> Result<paho::ConnectOptions, Error> {
    let mut builder = match options.mqtt_version {
        MqttVersion::V5 => paho::ConnectOptionsBuilder::new_v5(),
        MqttVersion::V311 => paho::ConnectOptionsBuilder::with_mqtt_version(paho::MQTT_VERSION_3_1_1),
    };
    match options.mqtt_version {
        MqttVersion::V5 => {
            builder.clean_start(session == Session::Clean);
            builder.properties(connect_properties(options)?);
        }
        MqttVersion::V311 => {
            builder.clean_session(session == Session::Clean);
        }
    }
    if let Some(will) = &options.will {
        builder.will_message(properties::will(will).map_err(|error| Error::Mqtt(Box::new(error)))?);
    }
    if let Some(authorizer) = &options.authorizer {
        builder.user_name(authorizer.connect_username().expose_secret());
        if let Some(password) = authorizer.connect_password() {
            builder.password(password.expose_secret());
        }
    }
    builder
        .server_uris(&[uri])
        .keep_alive_interval(options.keep_alive)
        .max_inflight(i32::try_from(options.window()).unwrap_or(i32::MAX))
        // The deadline is ours; paho's own, in steps of 3 s, must not come first.
        .connect_timeout(options.connect_timeout.min(LONGEST_CONNECT) + Duration::from_secs(30));
    Ok(builder.finalize())
}

/// What paho can count: it keeps milliseconds in 32 bits. Our own deadline may then come later than paho's.
const LONGEST_CONNECT: Duration = Duration::from_secs(24 * 3600);

/// The properties of CONNECT (MQTT 5.0 §3.1.2.11).
fn connect_properties(options: &ClientOptions) -> Result<paho::Properties, Error> {
    let mut properties = session_expiry(match options.session {
        SessionPolicy::Clean => Duration::ZERO,
        SessionPolicy::Resume | SessionPolicy::ResumeAfterFirst => options.session_expiry,
    })?;
    properties
        .push_u16(paho::PropertyCode::ReceiveMaximum, RECEIVE_MAXIMUM)
        .and_then(|()| properties.push_u32(paho::PropertyCode::MaximumPacketSize, MAXIMUM_PACKET_SIZE))
        .map_err(|error| Error::Mqtt(Box::new(error)))?;
    Ok(properties)
}

/// How many messages of QoS 1 a broker may send before the first is acknowledged: AWS IoT Core's limit
/// (<https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits>), and ours for other brokers,
/// which would send up to 65,535 to an application that takes none.
const RECEIVE_MAXIMUM: u16 = 100;

/// A DISCONNECT that ends a session which nobody will resume: Session Expiry Interval 0 (MQTT 5.0 §3.14.2.2.2).
fn disconnect_options(options: &ClientOptions) -> paho::DisconnectOptions {
    let mut disconnect = paho::DisconnectOptionsBuilder::new();
    if options.mqtt_version == MqttVersion::V5 && options.session == SessionPolicy::ResumeAfterFirst {
        match session_expiry(Duration::ZERO) {
            Ok(properties) => {
                disconnect.properties(properties);
            }
            Err(error) => log::warn!("the session will outlive the connection: {error}"),
        }
    }
    disconnect.finalize()
}

/// What ends the session with the connection, or keeps it: Session Expiry Interval (MQTT 5.0 §3.1.2.11.2).
fn session_expiry(expiry: Duration) -> Result<paho::Properties, Error> {
    let seconds = properties::seconds(expiry);
    let mut expiring = paho::Properties::new();
    expiring
        .push_u32(paho::PropertyCode::SessionExpiryInterval, seconds)
        .map_err(|error| Error::Mqtt(Box::new(error)))?;
    Ok(expiring)
}

/// A link in a task of its own, which ends it in the way that paho needs when this is dropped.
struct RunningLink {
    task: JoinHandle<LinkEnd>,
    stop: Option<oneshot::Sender<Infallible>>,
}

impl RunningLink {
    /// How long a link whose paho has gone may take to end by itself. What holds it up is a transport that takes
    /// no more bytes.
    const PATIENCE: Duration = Duration::from_secs(1);

    fn start<F: Future<Output = LinkEnd> + Send + 'static>(
        run: impl FnOnce(oneshot::Receiver<Infallible>) -> F,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { task: tokio::spawn(run(stopped)), stop: Some(stop) }
    }

    /// Waits for the end that paho's has brought about.
    async fn end(&mut self) -> LinkEnd {
        let end = match timeout(Self::PATIENCE, &mut self.task).await {
            Ok(end) => end,
            Err(_) => {
                drop(self.stop.take());
                (&mut self.task).await
            }
        };
        // The task is never aborted, and makes an end of a panic by itself.
        end.unwrap_or(LinkEnd::Stopped)
    }
}
