//! One connection attempt: transport, link, CONNECT, CONNACK.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use paho_mqtt as paho;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::backlog::Backlog;
use super::frames::Connack;
use super::guard::Guard;
use super::link::{Link, LinkEnd};
use super::{ClientOptions, MqttVersion, ReasonCode};
use crate::error::{Error, Layer};
use crate::timeline::Timeline;
use crate::transport::map_read_error;

/// A connection that the broker has accepted. Dropping it closes the link.
#[derive(Debug)]
pub(super) struct Connection {
    link: RunningLink,
    pub(super) session_present: bool,
    /// How many QoS 1 messages the broker takes at a time.
    pub(super) window: usize,
}

/// Whether the broker shall forget an earlier session (MQTT 5 Clean Start).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    Clean,
    Resume,
}

impl Connection {
    /// Connects, within [`ClientOptions::connect_timeout`].
    pub(super) async fn open(
        options: &ClientOptions,
        guard: &mut Guard,
        backlog: &Arc<Backlog>,
        session: Session,
        timeline: &Timeline,
    ) -> Result<Self, Error> {
        let after = options.connect_timeout;
        match tokio::time::timeout(after, attempt(options, guard, backlog, session, timeline)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::ConnectTimeout {
                target: options.dialer.target(),
                waiting_for: timeline.waiting_for().unwrap_or(Layer::Mqtt),
                after,
            }),
        }
    }

    /// Waits until the link has sent what it holds and closed the transport.
    pub(super) async fn finish(mut self) {
        let _ = self.link.end().await;
    }

    /// The error for a connection that has ended without a DISCONNECT of the broker's.
    pub(super) async fn lost(mut self, options: &ClientOptions) -> Error {
        let target = options.dialer.target();
        let source = match self.link.end().await {
            LinkEnd::BrokerClosed => None,
            LinkEnd::Transport(error) => match map_read_error(error, &target) {
                rejected @ Error::CertificateRejected { .. } => return rejected,
                other => Some(other.into()),
            },
            LinkEnd::Violation(violation) => Some(violation.into()),
            LinkEnd::Local(error) => Some(error.into()),
            LinkEnd::Silence(patience) => {
                Some(format!("no answer to PINGREQ within {} s", patience.as_secs_f32()).into())
            }
            LinkEnd::Paho | LinkEnd::Stopped => Some("the MQTT library gave it up".into()),
        };
        Error::Disconnected { target, code: None, reason_string: None, source }
    }
}

async fn attempt(
    options: &ClientOptions,
    guard: &mut Guard,
    backlog: &Arc<Backlog>,
    session: Session,
    timeline: &Timeline,
) -> Result<Connection, Error> {
    let stream = options.dialer.dial(timeline).await?;
    let step = timeline.step(Layer::Mqtt);
    let link = Link::open().await.map_err(Error::Link)?;
    let connect = connect_options(options, session, &link.uri())?;
    let socket = link.socket();
    let (connack, seen) = oneshot::channel();
    let mut link =
        RunningLink::start(|stop| link.run(stream, Arc::clone(backlog), patience(options), connack, stop));
    let response = match guard.connect(connect, socket).await {
        Ok(response) => response,
        Err(error) => return Err(refusal(options, seen.await.ok(), &mut link, error).await),
    };
    let session_present = response.connect_response().is_some_and(|connack| connack.session_present);
    let receive_maximum = response.properties().get_int(paho::PropertyCode::ReceiveMaximum);
    let window = receive_maximum
        .and_then(|maximum| usize::try_from(maximum).ok())
        .map_or(options.max_in_flight, |maximum| maximum.min(options.max_in_flight))
        .max(1);
    step.done(format!("accepted (MQTT {}, session present: {session_present})", options.mqtt_version));
    Ok(Connection { link, session_present, window })
}

/// The error for a CONNECT that failed: the transport's or the broker's word, not paho's.
async fn refusal(
    options: &ClientOptions,
    connack: Option<Connack>,
    link: &mut RunningLink,
    error: paho::Error,
) -> Error {
    let target = options.dialer.target();
    let client_id = options.client_id.clone();
    if let Some(Connack { code, reason_string }) = connack.filter(|connack| connack.code != 0) {
        let code = ReasonCode::new(code, options.mqtt_version);
        return Error::ConnectRefused { target, client_id, code, reason_string };
    }
    match link.end().await {
        LinkEnd::BrokerClosed => Error::ClosedBeforeConnack { target, client_id },
        LinkEnd::Transport(error) => map_read_error(error, &target),
        LinkEnd::Violation(violation) => Error::Mqtt(Box::new(violation)),
        LinkEnd::Local(error) => Error::Link(error),
        // No PINGREQ goes out before CONNACK.
        LinkEnd::Silence(_) | LinkEnd::Paho | LinkEnd::Stopped => Error::Mqtt(Box::new(error)),
    }
}

/// How long an answer to PINGREQ may take: the official clients' 30 s, at most half the keep-alive.
fn patience(options: &ClientOptions) -> Duration {
    Duration::from_secs(30).min(options.keep_alive / 2)
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
            builder.properties(session_expiry(options.session_expiry)?);
        }
        // A persistent session of MQTT 3.1.1 outlives the client; what is in flight is published again instead.
        MqttVersion::V311 => {
            builder.clean_session(true);
        }
    }
    builder
        .server_uris(&[uri])
        .keep_alive_interval(options.keep_alive)
        .max_inflight(i32::try_from(options.max_in_flight).unwrap_or(i32::MAX))
        // The deadline is ours; paho's own, in steps of 3 s, must not come first.
        .connect_timeout(options.connect_timeout.saturating_add(Duration::from_secs(30)));
    Ok(builder.finalize())
}

/// What ends the session with the connection, or keeps it: Session Expiry Interval (MQTT 5.0 §3.1.2.11.2).
pub(super) fn session_expiry(expiry: Duration) -> Result<paho::Properties, Error> {
    let seconds = u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX);
    let mut properties = paho::Properties::new();
    properties
        .push_u32(paho::PropertyCode::SessionExpiryInterval, seconds)
        .map_err(|error| Error::Mqtt(Box::new(error)))?;
    Ok(properties)
}

/// A link in a task of its own, which ends it in the way that paho needs when this is dropped.
#[derive(Debug)]
struct RunningLink {
    task: JoinHandle<LinkEnd>,
    _stop: oneshot::Sender<Infallible>,
}

impl RunningLink {
    fn start<F: Future<Output = LinkEnd> + Send + 'static>(
        run: impl FnOnce(oneshot::Receiver<Infallible>) -> F,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { task: tokio::spawn(run(stopped)), _stop: stop }
    }

    async fn end(&mut self) -> LinkEnd {
        // The task is never aborted, and a panic would be a bug in the link, which holds none.
        (&mut self.task).await.unwrap_or(LinkEnd::Stopped)
    }
}
