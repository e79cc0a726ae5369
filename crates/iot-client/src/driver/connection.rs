//! One connection: transport, link, CONNECT, CONNACK, and how it ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use iot_transport::timeline::{Detail, Timeline};
use iot_transport::tls::map_read_error;
use iot_transport::websocket::TextMessage;
use iot_transport::{Layer, shortage};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::Error;
use crate::events::EventSender;
use crate::link::Link;
use crate::link::end::LinkEnd;
use crate::link::inbox::{Gate, Hold};
use crate::link::keep_alive::KeepAlive;
use crate::link::task::RunningLink;
use crate::not_mqtt::NotMqtt;
use crate::paho::options::SessionOptions;
use crate::paho::session::{Disconnect, Session};
use crate::session::SessionStart;
use crate::wire::connack::Connack;
use crate::{Accepted, BrokerLimits, ClientOptions, MqttVersion};

/// A connection that the broker has accepted. Dropping it ends it without a DISCONNECT.
pub(crate) struct Connection {
    // Drop order matters: dropping the session joins paho's threads, which return only after the link has closed.
    link: RunningLink,
    session: Session,
    pub(crate) gate: Gate,
    pub(crate) session_present: bool,
    /// The number of QoS 1 messages that the broker takes at a time.
    pub(crate) window: usize,
    /// The broker's limits, from its CONNACK.
    pub(crate) limits: BrokerLimits,
}

impl Connection {
    /// Connects, within [`ClientOptions::connect_timeout`]. Messages come once the hold is released.
    pub(crate) async fn open(
        options: &ClientOptions,
        events: &EventSender,
        session: SessionStart,
        timeline: &Timeline,
    ) -> Result<(Self, Hold), Error> {
        let after = options.connect_timeout;
        match timeout(after, attempt(options, events, session, timeline)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Transport(iot_transport::Error::ConnectTimeout {
                target: options.dialer.target(),
                proxy: options.dialer.proxy(),
                seen: timeline.waiting_after(),
                waiting_for: timeline.waiting_for().unwrap_or(Layer::Mqtt),
                after,
            })),
        }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Resolves at the end of the connection, with the broker's word for it if it sent a DISCONNECT.
    pub(crate) async fn ended(&self, options: &ClientOptions) -> Option<Error> {
        let Disconnect { code, reason_string } = self.session.ended().await?;
        let target = options.dialer.target();
        Some(Error::Disconnected { target, code: Some(code), reason_string, source: None })
    }

    /// Sends DISCONNECT, waits until the link has sent it and closed the transport, for `limit` at most, and ends the
    /// connection. No message comes after that.
    pub(crate) async fn disconnect(mut self, options: &ClientOptions, limit: Duration) {
        let farewell = async {
            match self.session.disconnect(options).await {
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
    pub(crate) async fn abandon(self) {
        let Self { link, session, gate, .. } = self;
        drop((link, session));
        gate.closed().await;
    }

    /// The error for a connection that has ended without a DISCONNECT of the broker's.
    pub(crate) async fn lost(mut self, options: &ClientOptions) -> Error {
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
                Ok(rejected @ iot_transport::Error::CertificateRejected { .. }) => return rejected.into(),
                Ok(error) => Some(error.into()),
                Err(error) => Some(Error::ended(target.clone(), error).into()),
            },
            LinkEnd::Local(error) => Some(error.into()),
            LinkEnd::Silence(after) => {
                Some(format!("the broker was silent for {} s", after.as_secs_f32()).into())
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
    session: SessionStart,
    timeline: &Timeline,
) -> Result<(Connection, Hold), Error> {
    let stream = options.dialer.dial(timeline).await?;
    let step = timeline.step(Layer::Mqtt);
    let (link, hold, gate) =
        Link::open(options.mqtt_version, session, events.clone()).await.map_err(Error::Link)?;
    let session = SessionOptions::new(options, session, &link.uri())?;
    let socket = link.socket();
    let (sender, connack) = oneshot::channel();
    let keep_alive = KeepAlive::new(options.keep_alive);
    let mut link = RunningLink::start(|stop| link.run(stream, keep_alive, sender, stop));
    let session = match Session::connect(session, socket).await {
        Ok(session) => session,
        Err(error) => {
            // Before the link gives its descriptors back: the MQTT library calls a shortage a general failure.
            let shortage = shortage::now();
            let end = link.end().await;
            // The link has ended, so the CONNACK is there or never comes.
            return Err(refusal(options, connack.await.ok(), end, shortage, error));
        }
    };
    let Ok(connack) = connack.await else {
        let error = Error::Mqtt("the link has seen no CONNACK, and the MQTT library has".into());
        return Err(refusal(options, None, link.end().await, None, error));
    };
    let Connack { session_present, limits, .. } = connack;
    let window =
        limits.receive_maximum.map_or(options.window(), |maximum| options.window().min(maximum.into()));
    let accepted = Accepted { version: options.mqtt_version, session_present, limits };
    step.done(Detail::Protocol(Arc::new(accepted)));
    Ok((Connection { link, session, gate, session_present, window, limits }, hold))
}

/// The error for a CONNECT that failed: the transport's or the broker's word, not paho's.
fn refusal(
    options: &ClientOptions,
    connack: Option<Connack>,
    end: LinkEnd,
    shortage: Option<io::Error>,
    error: Error,
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
            Ok(TextMessage(text)) => Error::NotMqtt { target, answer: NotMqtt::TextMessage { text } },
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
            None => error,
        },
    }
}

/// The link, as errors name it.
const LINK: &str = "private link to the MQTT library";
