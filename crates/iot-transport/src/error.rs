//! What can go wrong on the way to a server, in which layer, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cause::Cause;
use super::http_refusal::HttpRefusal;
use super::proxy::ProxyProblem;
use crate::layer::Layer;
use crate::shortage;
use crate::text::one_line;

/// A failure on the way to a server.
///
/// The message says what was tried and on what, [`source`](std::error::Error::source) holds the cause, [`layer`](Error::layer) is
/// the part of the connection that refused, and [`hint`](Error::hint) the advice. The message escapes the words of a
/// server or proxy, but not those of the application or its user, such as a path.
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

    /// The application did not give a secret that is needed, such as the password of a private key.
    #[error(transparent)]
    Secret(Cause),

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
        refusal: Box<HttpRefusal>,
    },

    /// The WebSocket upgrade failed for another reason than an HTTP refusal.
    #[error("the WebSocket upgrade at {target} failed")]
    WebSocket {
        /// `host:port` of the broker.
        target: String,
        /// Why.
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
    /// The part of the connection that refused or failed.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self {
            Error::Settings(_) | Error::File { .. } | Error::Identity { .. } | Error::Secret(_) => {
                Layer::Settings
            }
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
            Error::Panicked { .. } => Layer::Mqtt,
        }
    }

    /// Whether another attempt would fail the same way: what was refused is who we are or what we ask, not the
    /// moment.
    ///
    /// A proxy's refusal is of the moment: rules and passwords are looked up elsewhere, by the hour or the building
    /// that a device is in, and whoever mends them does not restart the device.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Error::Settings(_)
            | Error::Identity { .. }
            | Error::Secret(_)
            | Error::CertificateRejected { .. }
            | Error::Panicked { .. } => true,
            // An error of our own below the handshake: the private key's.
            Error::Tls { source, .. } => {
                source.downcast_ref::<Arc<Error>>().is_some_and(|error| error.is_permanent())
            }
            Error::UpgradeRefused { refusal, .. } => refusal.is_permanent(),
            _ => false,
        }
    }

    /// The advice where this process, or the system, has no more descriptors or memory: no peer is to blame then,
    /// whatever the layer.
    #[must_use]
    pub fn shortage(&self) -> Option<&'static str> {
        shortage::hint(self)
    }
}

fn through(proxy: &Option<String>) -> String {
    proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
}

fn reason(seen: &Option<String>) -> String {
    seen.as_ref().map(|text| format!(" ({})", one_line(text))).unwrap_or_default()
}
