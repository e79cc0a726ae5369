//! What can go wrong, in which layer, and what to do about it.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{BrokerLimit, ConnectAsked, Operation, ReasonCode};
use crate::credentials::{self, CredentialSource};
pub use crate::layer::Layer;
use crate::not_mqtt::NotMqtt;
use crate::printable::one_line;
use crate::publisher::LineError;
use crate::transport::ProxyProblem;
pub use crate::transport::refusal::UpgradeRefusal;

/// A cause below one of our own errors.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// A failure of this crate.
///
/// The message says what was tried and on what, [`source`](StdError::source) holds the cause, [`layer`](Error::layer) is
/// the part of the connection that refused, and [`hint`](Error::hint) the advice. The message escapes what a broker or proxy has said, but not what the application or its
/// user has given, such as a path: a [`Failure`](crate::Failure) escapes the whole chain for a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that is well-formed by itself does not fit the rest.
    #[error("{0}")]
    Settings(String),

    /// A file that the user named could not be read.
    #[error("cannot read the {what} {}", path.display())]
    File {
        /// What the file is for, in the user's terms ("client certificate").
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: io::Error,
    },

    /// A file was read but does not hold what it should, or files do not belong together.
    #[error("{problem}")]
    Identity {
        /// What is wrong, naming the file.
        problem: String,
        /// What to do.
        hint: Option<String>,
        /// The parser's or the TLS library's word for it.
        source: Option<Cause>,
    },

    /// A secret that is needed was given nowhere.
    #[error("the {what} was not given")]
    SecretMissing {
        /// The secret, in the user's terms ("password of the private key").
        what: &'static str,
        /// The flag that takes it; with `-file` behind it, the flag that takes a file.
        flag: &'static str,
        /// The environment variable that may hold it.
        variable: &'static str,
    },

    /// No credentials could be had from the source that was asked.
    #[error("no AWS credentials from {from}")]
    Credentials {
        /// The source.
        from: Box<CredentialSource>,
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

    /// The name of the endpoint has no address.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The name that was looked up.
        host: String,
        /// The resolver's answer.
        source: io::Error,
    },

    /// No TCP connection.
    #[error("cannot open a TCP connection to {target}")]
    Tcp {
        /// `host:port`, with the address that was tried last.
        target: String,
        /// The operating system's answer.
        source: io::Error,
    },

    /// There was no way to the target through the proxy.
    #[error("no way to {target} through the proxy {proxy}: {problem}")]
    Proxy {
        /// The proxy's URL without its user name and password.
        proxy: String,
        /// `host:port` that the proxy was to connect to.
        target: String,
        /// What came in the way, with the proxy's own answer.
        problem: Box<ProxyProblem>,
        /// The cause below, where the proxy did not get to answer.
        source: Option<Cause>,
    },

    /// The TLS handshake failed.
    #[error("TLS handshake with {target} failed")]
    Tls {
        /// `host:port` of the broker.
        target: String,
        /// A [`rustls::Error`] where there is one.
        source: Cause,
    },

    /// The device that holds the private key made no signature.
    #[error("the {key} does not sign")]
    Signature {
        /// Which key, on which device.
        key: String,
        /// Why.
        source: Cause,
    },

    /// The server ended the handshake because of our certificate, or because we had none.
    #[error("{target} rejected the client certificate")]
    CertificateRejected {
        /// `host:port` of the broker.
        target: String,
        /// The TLS alert.
        source: Cause,
    },

    /// The server answered the WebSocket upgrade with an HTTP error.
    #[error("{target} refused the WebSocket upgrade: {refusal}")]
    UpgradeRefused {
        /// `host:port` of the broker.
        target: String,
        /// The server's answer.
        refusal: Box<UpgradeRefusal>,
        /// Who asked for the upgrade.
        auth: AuthKind,
    },

    /// The WebSocket upgrade failed for another reason than an HTTP refusal.
    #[error("the WebSocket upgrade at {target} failed")]
    WebSocket {
        /// `host:port` of the broker.
        target: String,
        /// Why.
        source: Cause,
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

    /// The deadline of a connection attempt passed.
    #[error("no connection to {target}{} within {} s: waiting for {waiting_for}{}", through(proxy), after.as_secs_f32(), reason(seen))]
    ConnectTimeout {
        /// `host:port` of the broker.
        target: String,
        /// The proxy's URL without its user name and password, where there is one.
        proxy: Option<String>,
        /// The step that was under way.
        waiting_for: Layer,
        /// What was seen of that step, such as the beginning of a proxy's answer.
        seen: Option<String>,
        /// The deadline.
        after: Duration,
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
    #[error("cannot {doing} the message store {}", directory.display())]
    Store {
        /// What was tried ("open", "write to").
        doing: &'static str,
        /// The directory.
        directory: PathBuf,
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

    /// What is to be published cannot be read.
    #[error(transparent)]
    Input(#[from] LineError),

    /// The standard output takes no more: its reader has ended, or its disk is full.
    #[error("cannot write to the standard output")]
    Output(#[source] io::Error),

    /// Ctrl-C or SIGTERM arrived first.
    #[error("interrupted")]
    Interrupted,
}

/// How a refused client had authenticated, and as whom where that is known: what there is to check follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthKind {
    /// With an X.509 client certificate.
    Certificate,
    /// With AWS credentials that signed the WebSocket upgrade.
    Credentials {
        /// The identity ID, where a Cognito identity pool issued the credentials.
        cognito_identity: Option<String>,
    },
    /// With an AWS access key alone: it is a permanent one, or its session token is missing.
    AccessKey {
        /// The access key ID.
        id: String,
    },
    /// With the user name and password, or token, that a custom authorizer looks at.
    CustomAuthorizer {
        /// The authorizer's name; `None` is the account's default authorizer.
        name: Option<String>,
    },
}

impl Error {
    /// The part of the connection that refused or failed.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self {
            Error::Settings(_)
            | Error::File { .. }
            | Error::Identity { .. }
            | Error::SecretMissing { .. }
            | Error::Store { .. }
            | Error::Input(_)
            | Error::Output(_)
            | Error::Interrupted => Layer::Settings,
            Error::Credentials { .. } | Error::Signing { .. } => Layer::Credentials,
            Error::Resolve { .. } => Layer::Dns,
            Error::Tcp { .. } => Layer::Tcp,
            Error::Proxy { problem, .. } => match **problem {
                ProxyProblem::Tls => Layer::Tls,
                ProxyProblem::Unresolved => Layer::Dns,
                _ => Layer::Proxy,
            },
            Error::Tls { .. } | Error::Signature { .. } | Error::CertificateRejected { .. } => Layer::Tls,
            Error::UpgradeRefused { .. } | Error::WebSocket { .. } => Layer::WebSocket,
            Error::ConnectTimeout { waiting_for, .. } => *waiting_for,
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
    ///
    /// A proxy's refusal is of the moment: rules and passwords are looked up elsewhere, by the hour or the building
    /// that a device is in, and whoever mends them does not restart the device.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Error::Settings(_)
            | Error::Identity { .. }
            | Error::SecretMissing { .. }
            | Error::Signing { .. }
            | Error::CertificateRejected { .. } => true,
            // An error of our own below the handshake: the private key's.
            Error::Tls { source, .. } => {
                source.downcast_ref::<Arc<Error>>().is_some_and(|error| error.is_permanent())
            }
            Error::Credentials { source, .. } => credentials::is_permanent(&**source),
            // A signature may be refused for the time on it, and clocks get set.
            Error::UpgradeRefused { refusal, auth, .. }
                if refusal.is_clock() && !matches!(auth, AuthKind::CustomAuthorizer { .. }) =>
            {
                false
            }
            Error::UpgradeRefused { refusal, .. } => matches!(refusal.status, 400 | 401 | 403 | 404),
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

fn through(proxy: &Option<String>) -> String {
    proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
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
