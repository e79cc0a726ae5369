use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::BrokerLimits;
use crate::client::MqttVersion;

/// What came of a step. [`Display`](fmt::Display) is for the log and for people; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
        certificate: Option<PeerCertificate>,
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
    /// The CONNACK that accepts the connection.
    Mqtt {
        /// The protocol version.
        version: MqttVersion,
        /// Whether the broker still had the session of an earlier connection.
        session_present: bool,
        /// What the broker takes.
        limits: BrokerLimits,
    },
}

/// What a server's certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCertificate {
    /// The distinguished name of its holder.
    pub subject: String,
    /// The distinguished name of the CA that signed it.
    pub issuer: String,
    /// The end of its validity.
    pub expires: SystemTime,
}

impl PeerCertificate {
    /// Reads a certificate that was verified before; `None` when its dates are outside what a clock can show.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let expires = DateTime::from_secs(certificate.validity().not_after.timestamp());
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            expires: expires.try_into().ok()?,
        })
    }
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
                    Some(PeerCertificate { subject, issuer, expires }) => {
                        write!(f, "; certificate of {subject} by {issuer}, expires {}", utc(*expires))
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
            Detail::Mqtt { version, session_present, .. } => {
                write!(f, "accepted (MQTT {version}, session present: {session_present})")
            }
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

/// A time in whole seconds (RFC 3339).
pub(crate) fn utc(time: SystemTime) -> String {
    let seconds = DateTime::from_secs(DateTime::from(time).secs());
    seconds.fmt(Format::DateTime).unwrap_or_else(|_| "at an unknown time".to_owned())
}
