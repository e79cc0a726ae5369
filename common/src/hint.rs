//! What to do about an error whose cause is known.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError, InvalidMessage};

use crate::client::{Operation, ReasonCode};
use crate::error::{Error, Layer, UpgradeRefusal};
use crate::transport::tls::tls_cause;

/// The clock skew from which AWS IoT Core turns a signature down, in seconds.
const MAX_SKEW: u64 = 300;

impl Error {
    /// What to do, where the cause is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::File { source, .. } => file(source),
            Error::Identity { hint, .. } => hint.clone(),
            Error::Credentials { from, source } => credentials(from, &**source),
            Error::Signing { .. } => Some("check the endpoint, the region and the access key".to_owned()),
            Error::Resolve { .. } => Some(
                "check the spelling and the network; your account's endpoint is what \
                 `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints"
                    .to_owned(),
            ),
            Error::Tcp { source, .. } => tcp(source),
            Error::Tls { source, .. } => tls(&**source),
            Error::CertificateRejected { source, .. } => Some(certificate(&**source)),
            Error::UpgradeRefused { refusal, .. } => upgrade(refusal),
            Error::WebSocket { source, .. } => match tls_cause(&**source) {
                Some(_) => tls(&**source),
                None => Some("check that the port serves MQTT over WebSocket at /mqtt".to_owned()),
            },
            Error::ConnectRefused { client_id, code, .. } if code.is_not_authorized() => {
                Some(connect_policy(client_id))
            }
            Error::ClosedBeforeConnack { client_id, .. } => Some(format!(
                "{}; over TLS with a client certificate, the certificate must be active, too",
                connect_policy(client_id)
            )),
            Error::ConnectTimeout { waiting_for, .. } => timeout(*waiting_for),
            Error::OperationRefused { operation, code, .. } if code.is_not_authorized() => policy(operation),
            // MQTT 3.1.1 has one code for every refused subscription (§3.9.3).
            Error::OperationRefused { operation: operation @ Operation::Subscribe { .. }, code, .. }
                if code.code() == 0x80 =>
            {
                policy(operation)
            }
            Error::OperationClosesConnection { operation, code, .. }
                if code.is_none_or(ReasonCode::is_not_authorized) =>
            {
                policy(operation)
            }
            Error::Disconnected { code: Some(code), .. } if code.code() == 0x8e => {
                Some("another connection uses the same client ID: give each client its own".to_owned())
            }
            Error::Disconnected { code: Some(code), .. } if code.is_not_authorized() => Some(
                "the policy must allow what the client did last: iot:Publish, iot:Subscribe or iot:Receive"
                    .to_owned(),
            ),
            Error::Disconnected { source: Some(source), .. } => {
                tls_cause(&**source).and_then(|_| tls(&**source))
            }
            Error::OperationTimeout { operation: Operation::Receive { topic }, .. } => Some(format!(
                "nobody published to {topic}, or the policy does not allow iot:Receive on topic/{topic}"
            )),
            Error::Link(_) => {
                Some("a local firewall or sandbox may forbid connections on 127.0.0.1".to_owned())
            }
            _ => None,
        }
    }
}

fn connect_policy(client_id: &str) -> String {
    format!("the policy must allow iot:Connect on client/{client_id}")
}

/// The action and the resource that a policy must allow
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/iot-policy-actions.html>).
fn policy(operation: &Operation) -> Option<String> {
    match operation {
        Operation::Publish { topic } => Some(format!("the policy must allow iot:Publish on topic/{topic}")),
        Operation::Subscribe { filter } => {
            Some(format!("the policy must allow iot:Subscribe on topicfilter/{filter}"))
        }
        Operation::Receive { topic } => Some(format!("the policy must allow iot:Receive on topic/{topic}")),
        _ => None,
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

/// `from` is how [`CredentialSource`](crate::credentials::CredentialSource) names itself.
fn credentials(from: &str, source: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(hint) = tls_cause(source).and_then(|_| tls(source)) {
        return Some(hint);
    }
    let hint = if from.starts_with("the environment") {
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary credentials"
    } else if from.starts_with("profile") || from.contains("profile") {
        "see ~/.aws/config and ~/.aws/credentials, or `aws configure list-profiles`; for IAM Identity Center, run \
         `aws sso login`"
    } else if from.starts_with("the default chain") {
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run `aws configure`; check with \
         `aws sts get-caller-identity`"
    } else {
        "give both the access key ID and the secret access key"
    };
    Some(hint.to_owned())
}

fn tcp(source: &io::Error) -> Option<String> {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => Some(
            "nothing listens on that port: AWS IoT Core uses 8883 for client certificates and 443 for WebSocket"
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
        Layer::Tls => "a firewall or proxy may hold the connection, or the port does not speak TLS",
        Layer::Credentials => {
            "the source of the credentials does not answer; off EC2, AWS_EC2_METADATA_DISABLED=true leaves EC2's out"
        }
        Layer::WebSocket => "a proxy in between may not let WebSocket through",
        Layer::Mqtt => "check that the port speaks MQTT, and that no proxy in between holds it",
        Layer::Settings => return None,
    };
    Some(hint.to_owned())
}

fn tls(source: &(dyn StdError + 'static)) -> Option<String> {
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
             443, WebSocket on 443"
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
            "the CA that signed the server's certificate is not trusted here: name its file (--ca-file), and check \
             that no proxy replaces certificates; an endpoint without -ats has an outdated CA"
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
        )) => "this port wants a client certificate; WebSocket has a port of its own, 443 at AWS IoT Core",
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

fn upgrade(refusal: &UpgradeRefusal) -> Option<String> {
    if let (400..=499, Some(skew)) = (refusal.status, refusal.clock_skew)
        && skew.unsigned_abs() > MAX_SKEW
    {
        return Some(clock(skew));
    }
    let message = refusal.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let hint = if says(&["signature expired", "not yet current"]) {
        "this machine's clock is wrong: AWS accepts a signature for 5 minutes"
    } else if says(&["token"]) && says(&["expired", "invalid"]) {
        "the session token has expired or belongs to other credentials: get new ones"
    } else if says(&["signature"]) && says(&["match"]) {
        "check the secret access key, and that a proxy does not change the Host header"
    } else if says(&["region"]) {
        "sign for the region in the endpoint's name (--region)"
    } else if says(&["missing authentication token"]) {
        "the request reached AWS without its signature: does a proxy cut the query off?"
    } else {
        match refusal.status {
            401 | 403 => {
                "check the access key, the secret key and the session token, the signing region (it must be the \
                 endpoint's), and that the identity's policy allows iot:Connect"
            }
            200..=399 => "what answers is not AWS IoT Core: a captive portal, or another web server?",
            404 => "this server has no /mqtt: is it the endpoint for MQTT?",
            407 => "a proxy wants a user name and password",
            426 => "a proxy in between may not let WebSocket through",
            429 | 500..=599 => "the service is busy: try again in a while",
            _ => return None,
        }
    };
    Some(hint.to_owned())
}

/// By how much our clock is off.
fn clock(skew: i64) -> String {
    let direction = if skew > 0 { "fast" } else { "slow" };
    let seconds = skew.unsigned_abs();
    let amount = match seconds {
        ..600 => format!("{seconds} seconds"),
        600..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("this machine's clock is {amount} {direction}: set it; AWS accepts a signature for 5 minutes")
}

#[cfg(test)]
#[path = "hint_tests.rs"]
mod tests;
