//! The advice for failures whose cause is known.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError, InvalidMessage};

use super::error::Error;
use super::proxy;
use super::tls::tls_cause;
use crate::layer::Layer;
use crate::setting::Setting;

impl Error {
    /// The advice, where the cause is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.shortage().map(str::to_owned).or_else(|| of(self))
    }
}

fn of(error: &Error) -> Option<String> {
    match error {
        Error::File { source, .. } => file(source),
        Error::Identity { hint, .. } => hint.clone(),
        // The name is looked up on a thread of its own.
        Error::Resolve { source, .. } if source.kind() == io::ErrorKind::WouldBlock => Some(
            "no more threads can be started: raise the limit (ulimit -u, TasksMax= of a systemd unit)"
                .to_owned(),
        ),
        Error::Resolve { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
            Some(format!("leave {} out, or give a name or an address that IPv6 reaches", Setting::Ipv6))
        }
        Error::Resolve { .. } => Some(
            "check the spelling and the network; your account's endpoint is what \
             `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints"
                .to_owned(),
        ),
        Error::Tcp { source, .. } => tcp(source),
        Error::Proxy { proxy, target, problem, source } => {
            proxy::hint(proxy, target, problem, source.as_ref())
        }
        Error::Tls { source, .. } => tls(&**source),
        // Below may be one of our own, with a better hint.
        Error::Signature { source, .. } if !source.is::<Error>() => {
            Some(format!("is the token plugged in, and does it answer? {} shows it", Setting::TokenListing))
        }
        Error::CertificateRejected { source, .. } => Some(certificate(&**source)),
        Error::WebSocket { source, .. } => match tls_cause(&**source) {
            Some(_) => tls(&**source),
            None => Some("check that the port serves MQTT over WebSocket at /mqtt".to_owned()),
        },
        Error::Panicked { .. } => {
            Some("this is a defect: report it, with the log that RUST_LOG=debug gives".to_owned())
        }
        Error::ConnectTimeout { waiting_for: Layer::Dns | Layer::Tcp, proxy: Some(_), .. } => {
            Some("check the proxy's host and port, and the way to it".to_owned())
        }
        Error::ConnectTimeout { waiting_for, .. } => timeout(*waiting_for),
        Error::Settings(_) | Error::Secret(_) | Error::Signature { .. } | Error::UpgradeRefused { .. } => {
            None
        }
    }
}

fn file(source: &io::Error) -> Option<String> {
    match source.kind() {
        io::ErrorKind::NotFound => Some("check the path; it counts from the current folder".to_owned()),
        io::ErrorKind::PermissionDenied => Some("check who owns the file and who may read it".to_owned()),
        io::ErrorKind::IsADirectory => Some("give the file, not its folder".to_owned()),
        _ => None,
    }
}

fn tcp(source: &io::Error) -> Option<String> {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => Some(
            "nothing listens on that port: AWS IoT Core uses 8883 for client certificates, 443 for WebSocket and custom \
             authorizers"
                .to_owned(),
        ),
        io::ErrorKind::TimedOut => timeout(Layer::Tcp),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Some("there is no route to the broker: check the network".to_owned())
        }
        io::ErrorKind::PermissionDenied => Some("a local firewall forbids the connection".to_owned()),
        _ => None,
    }
}

fn timeout(waiting_for: Layer) -> Option<String> {
    let hint = match waiting_for {
        Layer::Dns => "check the network and its name server",
        Layer::Tcp => "a firewall may block the port: 8883 is often closed where 443 is open",
        Layer::Proxy => {
            "the proxy does not answer, or its connection to the broker hangs; check its scheme, as a SOCKS proxy may \
             wait for ever for the rest of an HTTP request, and the reverse"
        }
        Layer::Tls => "a firewall or proxy may hold the connection, or the port does not speak TLS",
        Layer::Credentials => {
            "the source of the credentials (a service, or the profile's credential_process) does not answer; off EC2, \
             AWS_EC2_METADATA_DISABLED=true leaves EC2's out"
        }
        Layer::WebSocket => "a proxy in between may not let WebSocket through",
        Layer::Mqtt => "check that the port speaks MQTT, and that no proxy in between holds it",
        Layer::Settings => return None,
    };
    Some(hint.to_owned())
}

/// The advice about a failure of TLS that is among the causes of `source`.
#[must_use]
pub fn tls(source: &(dyn StdError + 'static)) -> Option<String> {
    let hint = match tls_cause(source)? {
        TlsError::InvalidCertificate(problem) => return server_certificate(problem),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what answers does not speak TLS: check the port"
        }
        TlsError::AlertReceived(AlertDescription::ProtocolVersion) | TlsError::PeerIncompatible(_) => {
            "the server does not speak TLS 1.2 or 1.3 with a cipher suite known here"
        }
        TlsError::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the server wants a client certificate that it accepts, or no cipher suite fits: check that the \
             certificate is registered and active"
        }
        TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)
        | TlsError::NoApplicationProtocol => {
            "the server does not speak this protocol on this port: AWS IoT Core takes client certificates on 8883 and \
             443, WebSocket and custom authorizers on 443"
        }
        TlsError::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the server does not know this endpoint's name: connect by the name that AWS IoT gave you"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn server_certificate(problem: &CertificateError) -> Option<String> {
    let hint = match problem {
        // A signature that does not fit comes from another CA of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            return Some(format!(
                "the CA that signed the server's certificate is not trusted here: name its file ({}), and check \
                 that no proxy replaces certificates; an endpoint without -ats has an outdated CA",
                Setting::CaFile
            ));
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired, or this machine's clock is fast"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet, or this machine's clock is slow"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name: use the endpoint's name, not its address or an alias"
        }
        // rustls hands this one of webpki through as it is.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server presents a CA certificate as its own: it needs one signed by that CA"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn certificate(source: &(dyn StdError + 'static)) -> String {
    let hint = match tls_cause(source) {
        Some(TlsError::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate,
        )) => {
            "this port wants a client certificate; AWS IoT Core has WebSocket and custom authorizers on 443"
        }
        Some(TlsError::AlertReceived(AlertDescription::CertificateExpired)) => {
            "the certificate has expired: create a new one"
        }
        Some(TlsError::AlertReceived(AlertDescription::CertificateRevoked)) => {
            "the certificate is revoked: create a new one"
        }
        Some(TlsError::AlertReceived(AlertDescription::DecryptError)) => {
            "the server could not verify the signature: does the key belong to the certificate?"
        }
        _ => {
            "the certificate must be registered in this account and region and be active: `aws iot list-certificates` \
             tells"
        }
    };
    hint.to_owned()
}
