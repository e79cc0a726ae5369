use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::certificate::Certificate;

/// What came of a step. [`Display`](fmt::Display) is for the log and for people; it holds no secret.
#[derive(Debug, Clone)]
pub enum Detail {
    /// What has no form of its own.
    Text(String),
    /// The endpoint's addresses.
    Dns {
        /// The name that was looked up.
        host: String,
        /// What it stands for.
        addresses: Vec<IpAddr>,
    },
    /// The address that answered.
    Tcp {
        /// The broker's or the proxy's.
        address: SocketAddr,
    },
    /// What the TLS handshake has agreed on.
    Tls {
        /// The protocol version, such as "TLSv1.3".
        version: String,
        /// The protocol that the server took of those offered by ALPN (RFC 7301).
        alpn: Option<String>,
        /// The server's certificate.
        certificate: Option<Certificate>,
    },
    /// The AWS credentials that sign the connection.
    Credentials {
        /// Where they come from.
        source: String,
        /// Whether they were kept from an earlier connection.
        kept: bool,
        /// When they expire, where the source says so: the environment, for one, never does.
        expires: Option<SystemTime>,
    },
    /// The answer to the WebSocket upgrade.
    WebSocket {
        /// The HTTP status; 101 is success.
        status: u16,
    },
    /// The outcome of a step of the protocol that the connection is for, such as an MQTT client's.
    Protocol(Arc<dyn Outcome>),
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detail::Text(text) => f.write_str(text),
            Detail::Dns { host, addresses }
                if addresses.iter().any(|address| address.to_string() == *host) =>
            {
                write!(f, "{host} is an address: no name to look up")
            }
            Detail::Dns { host, addresses } => {
                write!(f, "{host} is ")?;
                addresses.iter().enumerate().try_for_each(|(index, address)| {
                    write!(f, "{}{address}", if index == 0 { "" } else { ", " })
                })
            }
            Detail::Tcp { address } => write!(f, "connected to {address}"),
            Detail::Tls { version, alpn, certificate } => {
                write!(f, "{version}, ALPN {}", alpn.as_deref().unwrap_or("none"))?;
                match certificate {
                    Some(Certificate { subject, issuer, not_after, .. }) => {
                        write!(f, "; certificate of {subject} by {issuer}, expires {}", utc(*not_after))
                    }
                    None => Ok(()),
                }
            }
            Detail::Credentials { source, kept, expires } => {
                write!(f, "from {source}")?;
                if *kept {
                    f.write_str(", kept from an earlier connection")?;
                }
                match expires {
                    Some(expires) => write!(f, ", expire {}", utc(*expires)),
                    None => f.write_str(", expiry not stated"),
                }
            }
            Detail::WebSocket { status } => write!(f, "HTTP {status}"),
            Detail::Protocol(outcome) => outcome.fmt(f),
        }
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Detail::Text(text)
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Detail::Text(text.to_owned())
    }
}

/// The outcome of a protocol's own step. Its [`Display`](fmt::Display) is for the log and for people.
pub trait Outcome: Any + fmt::Debug + fmt::Display + Send + Sync {}

impl<T: Any + fmt::Debug + fmt::Display + Send + Sync> Outcome for T {}

impl Detail {
    /// A protocol's outcome, if it is of this type.
    #[must_use]
    pub fn protocol<T: Outcome>(&self) -> Option<&T> {
        match self {
            Detail::Protocol(outcome) => (&**outcome as &dyn Any).downcast_ref(),
            _ => None,
        }
    }
}

/// A time in whole seconds (RFC 3339).
#[must_use]
pub fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_secs().try_into().ok());
    let date = seconds.and_then(|seconds| UtcDateTime::from_unix_timestamp(seconds).ok());
    let text = date.and_then(|date| date.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "at an unknown time".to_owned())
}
