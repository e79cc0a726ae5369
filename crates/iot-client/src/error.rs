//! What can go wrong, in which layer, and what to do about it.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use iot_transport as transport;
use iot_transport::text::one_line;
use iot_transport::{Cause, HttpRefusal, Layer, panics};

use crate::auth_kind::AuthKind;
use crate::broker_limit::BrokerLimit;
use crate::not_mqtt::NotMqtt;
use crate::operation::{ConnectAsked, Operation};
use crate::reason::ReasonCode;

/// A failure of this crate.
///
/// The message says what was tried and on what, [`source`](std::error::Error::source) holds the cause,
/// [`layer`](Error::layer) is the part of the connection that refused, and [`hint`](Error::hint) the advice. The message
/// escapes the words of a broker or proxy, but not those of the application or its user, such as a path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that is well-formed by itself does not fit the rest.
    #[error("{0}")]
    Settings(String),

    /// A failure on the way to the broker.
    #[error(transparent)]
    Transport(#[from] transport::Error),

    /// No credentials could be had from the source that was asked.
    #[error("no AWS credentials from {from}")]
    Credentials {
        /// The source, as messages name it.
        from: String,
        /// The advice, where the cause is known.
        hint: Option<String>,
        /// Whether another attempt would fail the same way.
        is_permanent: bool,
        /// Why.
        source: Cause,
    },

    /// The credentials or settings cannot be signed with.
    #[error("cannot sign the WebSocket request for {target}")]
    Signing {
        /// `host:port` of the broker.
        target: String,
        /// Why.
        source: Cause,
    },

    /// The server answered the WebSocket upgrade with an HTTP error.
    #[error("{target} refused the WebSocket upgrade: {refusal}")]
    UpgradeRefused {
        /// `host:port` of the broker.
        target: String,
        /// The server's answer.
        refusal: Box<HttpRefusal>,
        /// Who asked for the upgrade.
        auth: AuthKind,
    },

    /// The broker answered CONNECT with a failing reason code.
    #[error("{target} refused the MQTT connection of client ID {client_id}: {code}{}", reason(reason_string))]
    ConnectRefused {
        /// `host:port` of the broker.
        target: String,
        /// The client ID that was refused.
        client_id: String,
        /// The CONNACK's reason code (MQTT 5) or return code (MQTT 3.1.1).
        code: ReasonCode,
        /// The CONNACK's Reason String, if the broker sent one.
        reason_string: Option<String>,
        /// Who was refused.
        auth: AuthKind,
        /// The permissions that CONNECT asked for beside the connection itself.
        asked: Box<ConnectAsked>,
    },

    /// The broker ended the connection between CONNECT and CONNACK.
    #[error("{target} closed the connection of client ID {client_id} before CONNACK")]
    ClosedBeforeConnack {
        /// `host:port` of the broker.
        target: String,
        /// The client ID that was sent.
        client_id: String,
        /// Who was turned away.
        auth: AuthKind,
        /// The permissions that CONNECT asked for beside the connection itself.
        asked: Box<ConnectAsked>,
    },

    /// The server that answered does not speak MQTT.
    #[error("{target} does not speak MQTT: {answer}")]
    NotMqtt {
        /// `host:port` of the broker.
        target: String,
        /// The server's answer in place of a CONNACK.
        answer: NotMqtt,
    },

    /// The broker sent what the protocol does not allow.
    #[error("{target} broke the MQTT protocol")]
    Protocol {
        /// `host:port` of the broker.
        target: String,
        /// The packet or field that is malformed, or came at the wrong time.
        source: Cause,
    },

    /// An established connection ended.
    #[error("the connection to {target} ended: {}{}", code.map_or_else(|| cause(source), |c| c.to_string()), reason(reason_string))]
    Disconnected {
        /// `host:port` of the broker.
        target: String,
        /// The reason code of the broker's DISCONNECT, if it sent one.
        code: Option<ReasonCode>,
        /// The DISCONNECT's Reason String.
        reason_string: Option<String>,
        /// What the transport saw, where there was no DISCONNECT.
        source: Option<Cause>,
    },

    /// The broker refused an operation with a reason code.
    #[error("{target} refused to {operation}: {code}{}", reason(reason_string))]
    OperationRefused {
        /// `host:port` of the broker.
        target: String,
        /// What was refused.
        operation: Operation,
        /// The acknowledgement's reason code.
        code: ReasonCode,
        /// The acknowledgement's Reason String.
        reason_string: Option<String>,
    },

    /// The broker's CONNACK rules the operation out. It was not sent.
    #[error("cannot {operation}: {target} {limit}")]
    BeyondLimit {
        /// `host:port` of the broker.
        target: String,
        /// The operation.
        operation: Operation,
        /// The limit, and the value beyond it.
        limit: Box<BrokerLimit>,
    },

    /// The broker closed the connection in answer to an operation, more than once.
    #[error("{target} closed the connection each time the client tried to {operation}{}", said(code))]
    OperationClosesConnection {
        /// `host:port` of the broker.
        target: String,
        /// What was under way each time.
        operation: Operation,
        /// The reason code of the last DISCONNECT, if the broker sent one.
        code: Option<ReasonCode>,
    },

    /// The connection ended under an operation that is not repeated.
    #[error("the connection to {target} ended before it could {operation}, and QoS 0 is sent once")]
    OperationLost {
        /// `host:port` of the broker.
        target: String,
        /// What was lost.
        operation: Operation,
    },

    /// An operation had no answer in time.
    #[error("no answer from {target} within {} s: {operation}", after.as_secs_f32())]
    OperationTimeout {
        /// `host:port` of the broker.
        target: String,
        /// What was asked.
        operation: Operation,
        /// How long it was waited for.
        after: Duration,
    },

    /// There is no room for the message: [`QueueLimits`](crate::QueueLimits).
    #[error("cannot {operation}: {waiting} messages wait to be sent, as many as the queue takes")]
    QueueFull {
        /// What was asked.
        operation: Operation,
        /// How many messages wait.
        waiting: usize,
    },

    /// The client has ended with messages that the broker has not acknowledged.
    #[error("disconnected from {target} with {messages} messages that it has not acknowledged")]
    Undelivered {
        /// `host:port` of the broker.
        target: String,
        /// How many messages.
        messages: usize,
    },

    /// Other clients that have this client ID have taken over the session several times in a row.
    #[error(
        "{target} ended {times} connections in a row because another client connected with client ID {client_id}"
    )]
    TakenOver {
        /// `host:port` of the broker.
        target: String,
        /// The client ID.
        client_id: String,
        /// How many connections were taken over, each soon after it was made.
        times: u32,
    },

    /// The directory that keeps messages cannot be used.
    #[cfg(feature = "store")]
    #[error("cannot {doing} the message store {}", directory.display())]
    Store {
        /// What was tried ("open", "write to").
        doing: &'static str,
        /// The directory.
        directory: std::path::PathBuf,
        /// Why.
        source: Cause,
    },

    /// An operation that the MQTT library or the protocol does not take.
    #[error("cannot {operation}")]
    OperationInvalid {
        /// What was asked.
        operation: Operation,
        /// Why.
        source: Cause,
    },

    /// The client has ended before the operation.
    #[error("the client has stopped")]
    Stopped {
        /// Why it gave up; `None` after a disconnect.
        source: Option<Arc<Error>>,
    },

    /// The private link to the MQTT library could not be opened.
    #[error("cannot open the private link on 127.0.0.1 between the MQTT library and the transport")]
    Link(#[source] io::Error),

    /// The MQTT library failed in a way that has no name of its own here.
    #[error("the MQTT library failed")]
    Mqtt(#[source] Cause),

    /// A panic: a defect of this crate, or of one that it uses.
    #[error("internal failure of the {part}: {panic}")]
    Panicked {
        /// The part that has panicked.
        part: &'static str,
        /// The panic's message.
        panic: String,
    },
}

impl Error {
    /// The error of a panic, with the part that has panicked.
    pub(crate) fn panicked(part: &'static str, panic: &(dyn Any + Send)) -> Self {
        Error::Panicked { part, panic: panics::message(panic) }
    }

    /// The error of a connection whose transport has failed.
    pub(crate) fn ended(target: String, source: io::Error) -> Self {
        Error::Disconnected { target, code: None, reason_string: None, source: Some(source.into()) }
    }

    /// The layer whose step was under way when the deadline of an attempt passed.
    pub(crate) fn late(&self) -> Option<Layer> {
        match self {
            Error::Transport(transport::Error::ConnectTimeout { waiting_for, .. }) => Some(*waiting_for),
            _ => None,
        }
    }

    /// The part of the connection that refused or failed.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self {
            Error::Transport(error) => error.layer(),
            Error::Settings(_) => Layer::Settings,
            #[cfg(feature = "store")]
            Error::Store { .. } => Layer::Settings,
            Error::Credentials { .. } | Error::Signing { .. } => Layer::Credentials,
            Error::UpgradeRefused { .. } => Layer::WebSocket,
            Error::ConnectRefused { .. }
            | Error::ClosedBeforeConnack { .. }
            | Error::NotMqtt { .. }
            | Error::Protocol { .. }
            | Error::BeyondLimit { .. }
            | Error::Panicked { .. }
            | Error::Disconnected { .. }
            | Error::OperationRefused { .. }
            | Error::OperationClosesConnection { .. }
            | Error::OperationLost { .. }
            | Error::OperationTimeout { .. }
            | Error::OperationInvalid { .. }
            | Error::QueueFull { .. }
            | Error::TakenOver { .. }
            | Error::Undelivered { .. }
            | Error::Stopped { .. }
            | Error::Link(_)
            | Error::Mqtt(_) => Layer::Mqtt,
        }
    }

    /// Whether another attempt would fail the same way: what was refused is who we are or what we ask, not the
    /// moment.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Error::Transport(error) => error.is_permanent(),
            Error::Settings(_) | Error::Signing { .. } => true,
            Error::Credentials { is_permanent, .. } => *is_permanent,
            // A signature may be refused for the time on it, and clocks get set.
            Error::UpgradeRefused { refusal, auth, .. }
                if refusal.is_clock() && !matches!(auth, AuthKind::CustomAuthorizer { .. }) =>
            {
                false
            }
            Error::UpgradeRefused { refusal, .. } => refusal.is_permanent(),
            Error::ConnectRefused { code, .. } | Error::OperationRefused { code, .. } => {
                code.refuses_for_good()
            }
            Error::Disconnected { code, .. } => code.is_some_and(ReasonCode::is_permanent),
            Error::TakenOver { .. }
            | Error::OperationClosesConnection { .. }
            | Error::BeyondLimit { .. }
            | Error::Panicked { .. } => true,
            _ => false,
        }
    }
}

fn reason(reason_string: &Option<String>) -> String {
    reason_string.as_ref().map(|text| format!(" ({})", one_line(text))).unwrap_or_default()
}

fn said(code: &Option<ReasonCode>) -> String {
    code.as_ref().map(|code| format!(": {code}")).unwrap_or_default()
}

fn cause(source: &Option<Cause>) -> String {
    source.as_ref().map_or_else(|| "closed by the broker".to_owned(), |_| "transport failure".to_owned())
}
