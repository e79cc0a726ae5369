//! The TLS handshake: the server's certificate, the protocol version, ALPN.

use std::time::SystemTime;

use iot_client::Auth;
use iot_transport::{Agreed, Certificate, Error as TransportError, TlsInspection};

use super::credentials::{SOON, advise_on_rejection};
use crate::case::Case;
use crate::check::{Check, utc};
use crate::method::Method;

pub(crate) const NAMES: [&str; 3] = [CERTIFICATE, TLS, ALPN];

const CERTIFICATE: &str = "server certificate";
const TLS: &str = "TLS";
const ALPN: &str = "ALPN";

/// What HTTPS offers; without a way to authenticate there is nothing else to offer.
const HTTP: &[u8] = b"http/1.1";

pub(crate) async fn check(case: &Case) -> [Check; 3] {
    let offered = match &case.auth {
        Some(auth) => auth.alpn(case.port),
        None if case.method == Method::Nothing => Some(HTTP),
        // No server minds that nothing is offered.
        None => None,
    };
    // Legacy endpoints have another CA, and other partitions may.
    let is_aws = case.endpoint.region().is_some()
        && !case.endpoint.is_legacy()
        && [".amazonaws.com", ".api.aws"].iter().any(|suffix| case.host().ends_with(suffix));
    let identity = match &case.auth {
        Some(Auth::MutualTls(identity)) => Some(identity),
        _ => None,
    };
    let TlsInspection { chain, root, outcome, .. } =
        case.route.inspect_tls(case.host(), case.port, offered, identity, case.limit).await;
    match outcome {
        Ok(agreed) => [
            certificate(is_aws, &chain, root.as_deref()),
            version(&agreed),
            match case.auth.is_some() || offered.is_some() {
                true => alpn(case.port, offered, agreed.alpn.as_deref()),
                false => Check::unreached(ALPN, "what to offer follows from the credentials"),
            },
        ],
        Err(TransportError::CertificateRejected { .. }) if identity.is_none() => {
            let why = "the server asks for a client certificate, and there is none to show";
            [certificate(is_aws, &chain, None), Check::unreached(TLS, why), Check::unreached(ALPN, why)]
        }
        Err(error) if is_about_its_certificate(&error) => [
            refused(&chain, error),
            Check::not_reached(TLS, CERTIFICATE),
            Check::not_reached(ALPN, CERTIFICATE),
        ],
        Err(error) if is_about_alpn(&error) => [
            Check::not_reached(CERTIFICATE, ALPN),
            Check::not_reached(TLS, ALPN),
            Check::failed(ALPN, error).advise(
                format!("the server takes nothing of what was offered by ALPN: {}", text(offered)),
                "see that port and way to authenticate go together, and that no other server has this port",
            ),
        ],
        Err(error) => {
            let shown = match chain.is_empty() {
                true => Check::not_reached(CERTIFICATE, TLS),
                false => certificate(is_aws, &chain, None),
            };
            let is_rejected = matches!(error, TransportError::CertificateRejected { .. });
            let failed = Check::failed(TLS, error);
            let failed = match identity.filter(|_| is_rejected) {
                Some(identity) => advise_on_rejection(failed, identity),
                None => failed,
            };
            [shown, failed, Check::not_reached(ALPN, TLS)]
        }
    }
}

/// A certificate that is trusted.
fn certificate(is_aws: bool, chain: &[Certificate], root: Option<&str>) -> Check {
    let Some(leaf) = chain.first() else {
        return Check::ok(CERTIFICATE, "verified; its fields cannot be shown");
    };
    let root = root.map_or_else(String::new, |root| format!("; the root is {root}"));
    let check = Check::ok(CERTIFICATE, format!("{}{root}", describe(leaf)));
    // AWS replaces its own in time.
    let remaining = leaf.not_after.duration_since(SystemTime::now()).unwrap_or_default();
    if is_aws && !leaf.issuer.contains("Amazon") {
        return check.warn(
            "it is trusted, and not Amazon's: something on the way opens TLS and reads along; a client certificate \
             does not get through that",
            "have the endpoint exempted from TLS inspection",
        );
    }
    if !is_aws && remaining < SOON {
        return check.warn(
            "the server's certificate expires soon, and clients will not connect after that",
            "have the server's certificate replaced",
        );
    }
    check
}

/// A certificate that is not to be trusted.
fn refused(chain: &[Certificate], error: TransportError) -> Check {
    let check = Check::failed(CERTIFICATE, error);
    let now = SystemTime::now();
    match chain.first() {
        None => check,
        Some(leaf) if now < leaf.not_before || now > leaf.not_after => check.advise(
            format!("the server showed {}; this machine's clock says {}", describe(leaf), utc(now)),
            "set this machine's clock if that is wrong, else have the server's certificate replaced",
        ),
        Some(leaf) => check.advise(
            format!("the server showed {}, with {} more", describe(leaf), chain.len() - 1),
            "if that is not the endpoint's, something on the way answers in its place; else name its CA by --ca-file",
        ),
    }
}

fn describe(certificate: &Certificate) -> String {
    let Certificate { subject, issuer, names, not_before, not_after, .. } = certificate;
    let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
    format!("{subject} for {names}, by {issuer}, valid from {} to {}", utc(*not_before), utc(*not_after))
}

fn version(agreed: &Agreed) -> Check {
    Check::ok(TLS, format!("{}, {}", agreed.version, agreed.cipher_suite))
}

fn alpn(port: u16, offered: Option<&[u8]>, chosen: Option<&str>) -> Check {
    let Some(offered) = offered else {
        return Check::ok(ALPN, format!("none offered: port {port} has one protocol only"));
    };
    match chosen {
        Some(chosen) => Check::ok(ALPN, format!("{chosen}, as offered")),
        None => {
            let check =
                Check::ok(ALPN, format!("{} offered, and the server chose none", text(Some(offered))));
            // HTTP is what a server speaks that knows no ALPN.
            if port != 443 || offered == HTTP {
                return check;
            }
            check.warn(
                "on port 443 AWS IoT Core tells MQTT from HTTPS by ALPN: this is not it, or something on the way has \
                 taken ALPN out",
                "have the endpoint exempted from TLS inspection; a client certificate can use port 8883 instead",
            )
        }
    }
}

fn text(offered: Option<&[u8]>) -> String {
    offered.map_or_else(|| "nothing".to_owned(), |name| String::from_utf8_lossy(name).into_owned())
}

fn is_about_its_certificate(error: &TransportError) -> bool {
    matches!(rustls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

fn is_about_alpn(error: &TransportError) -> bool {
    use rustls::{AlertDescription, Error::AlertReceived, Error::NoApplicationProtocol};
    let cause = rustls_error(error);
    matches!(cause, Some(AlertReceived(AlertDescription::NoApplicationProtocol) | NoApplicationProtocol))
}

/// Behind a proxy the failure is told with it.
fn rustls_error(error: &TransportError) -> Option<&rustls::Error> {
    match error {
        TransportError::Tls { source, .. } | TransportError::Proxy { source: Some(source), .. } => {
            source.downcast_ref()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use iot_transport::Identity;
    use sandbox::Sandbox;

    use super::*;
    use crate::check::Outcome;

    #[test]
    fn alpn_that_is_missing_matters_where_port_443_has_several_protocols() {
        for (port, offered, chosen, outcome) in [
            (443, Some(&b"x-amzn-mqtt-ca"[..]), Some("x-amzn-mqtt-ca"), Outcome::Ok),
            (443, Some(b"x-amzn-mqtt-ca"), None, Outcome::Warning),
            (443, Some(b"mqtt"), None, Outcome::Warning),
            (443, Some(HTTP), None, Outcome::Ok),
            (8443, Some(b"mqtt"), None, Outcome::Ok),
            (8883, None, None, Outcome::Ok),
        ] {
            assert_eq!(alpn(port, offered, chosen).outcome, outcome, "{port} {chosen:?}");
        }
    }

    #[test]
    fn a_certificate_for_aws_that_is_not_amazons_shows_tls_inspection() {
        let sandbox = Sandbox::start().unwrap();
        let device = sandbox.device();
        let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
        let chain = identity.certificates();
        let check = certificate(true, &chain, Some("CN=root"));
        assert_eq!(check.outcome, Outcome::Warning);
        assert!(
            check.advice[0].change.contains("TLS inspection") && check.finding.contains("CN=root"),
            "{check:?}"
        );
        assert_eq!(certificate(false, &chain, None).outcome, Outcome::Ok);
    }
}
