//! TLS, by rustls on aws-lc-rs.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, ClientConfig, OtherError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::Certificate;
pub use crate::crypto::provider;
use crate::error::Error;
use crate::identity::Identity;
use crate::panics::{Caller, on_own_thread};
use crate::roots::Roots;
use crate::timeline::Detail;

/// The configuration for TLS 1.2 and 1.3. Session tickets live in it, so it is built once for many connections.
///
/// # Errors
/// [`Error::File`] or [`Error::Identity`] when the roots cannot be loaded.
pub fn config(
    roots: &Roots,
    identity: Option<&Identity>,
    alpn: Option<Vec<u8>>,
) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Settings(format!("the TLS library has no usable protocol version: {error}")))?
        .with_root_certificates(roots.load()?);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(resolver(identity)),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.into_iter().collect();
    Ok(Arc::new(config))
}

fn resolver(identity: &Identity) -> Arc<dyn ResolvesClientCert> {
    Arc::new(SingleCertAndKey::from(identity.certified_key()))
}

/// Shakes hands with `host` over `stream`, and checks the server's certificate against that name or address.
///
/// A private key whose signatures may block has a `turn`: the handshake then runs on a thread of its own.
///
/// # Errors
/// [`Error::CertificateRejected`] or [`Error::Tls`]; `target` is the `host:port` they name.
pub async fn connect<S>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
    target: &str,
    turn: Option<&Arc<Mutex<()>>>,
) -> Result<TlsStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match turn {
        None => shake_hands(config, host, stream, target).await,
        Some(turn) => shake_hands_on_own_thread(Arc::clone(turn), config, host, stream, target).await,
    }
}

async fn shake_hands<S>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
    target: &str,
) -> Result<TlsStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned())
        .map_err(|source| Error::Tls { target: target.to_owned(), source: source.into() })?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| match alert(&error) {
        // In a handshake this alert may as well mean that no cipher suite fits.
        Some(AlertDescription::HandshakeFailure) | None => tls_error(error, target),
        Some(alert) if is_about_our_certificate(alert) => rejected(error, target),
        Some(_) => tls_error(error, target),
    })
}

/// For a private key that may block: a signature on a device takes its time, or, when the device hangs, for ever. The
/// handshake runs on a thread of its own. tokio's pool for what blocks would not do: a runtime waits for
/// it when it ends.
///
/// A caller that is gone ends the handshake; one inside a signature ends when that returns. Until then its thread
/// holds `turn`, so that attempts that follow wait without a thread of their own.
async fn shake_hands_on_own_thread<S>(
    turn: Arc<Mutex<()>>,
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
    target: &str,
) -> Result<TlsStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let turn = turn.lock_owned().await;
    let runtime = Handle::current();
    let (host, thread_target) = (host.to_owned(), target.to_owned());
    let handshake = move |caller: Caller| {
        let _turn = turn;
        runtime.block_on(async {
            tokio::select! {
                outcome = shake_hands(config, &host, stream, &thread_target) => Some(outcome),
                () = caller.gone() => None,
            }
        })
    };
    let failed = |error: io::Error| Error::Tls { target: target.to_owned(), source: error.into() };
    let outcome = on_own_thread("TLS handshake", handshake, failed).await?;
    // Its caller, this one, is still there.
    outcome.unwrap_or_else(|| Err(failed(io::Error::other("the handshake was given up"))))
}

/// What came of a handshake, for the timeline.
pub fn describe<S>(stream: &TlsStream<S>) -> Detail {
    let (_, connection) = stream.get_ref();
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    Detail::Tls {
        version: version.replace('_', "."),
        alpn: connection.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        certificate: certificate.and_then(|certificate| Certificate::from_der(certificate)),
    }
}

/// The error for a read that failed before the broker sent a single byte.
///
/// In TLS 1.3 the client is done with its handshake before the server has looked at the client's certificate: the
/// server's refusal arrives as an alert in place of the first bytes (RFC 8446 §4.4.2.4).
///
/// # Errors
/// The same error, if it is not of TLS.
pub fn map_read_error(error: io::Error, target: &str) -> Result<Error, io::Error> {
    match alert(&error) {
        Some(alert) if is_about_our_certificate(alert) => Ok(rejected(error, target)),
        _ if tls_cause(&error).is_some() => Ok(tls_error(error, target)),
        _ => Err(error),
    }
}

/// The error for an HTTP exchange that TLS has failed; `None` if something else has.
pub fn map_http_error(error: &hyper::Error, target: &str) -> Option<Error> {
    tls_cause(error).and_then(|cause| map_read_error(io::Error::other(cause.clone()), target).ok())
}

/// The TLS library's error among the causes of another.
///
/// An [`io::Error`] made from another error does not name that one as its source, hence the look inside.
pub fn tls_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match tls_cause(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

/// The alerts with which a server turns a client's certificate down (RFC 8446 §6.2, RFC 5246 §7.2.2).
fn is_about_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::CertificateRequired
    )
}

fn rejected(error: io::Error, target: &str) -> Error {
    Error::CertificateRejected { target: target.to_owned(), source: own_cause(error) }
}

fn tls_error(error: io::Error, target: &str) -> Error {
    Error::Tls { target: target.to_owned(), source: own_cause(error) }
}

/// The TLS library's error alone where there is one: what wraps it adds no word.
fn own_cause(error: io::Error) -> crate::cause::Cause {
    match tls_cause(&error) {
        // A private key that another than this process holds fails with an error of this crate.
        Some(cause @ rustls::Error::Other(OtherError(other))) => match other.downcast_ref::<Arc<Error>>() {
            Some(own) => Arc::clone(own).into(),
            None => cause.clone().into(),
        },
        Some(cause) => cause.clone().into(),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_error(error: rustls::Error) -> Error {
        map_read_error(io::Error::new(io::ErrorKind::InvalidData, error), "a.example:8883").expect("of TLS")
    }

    #[test]
    fn the_first_read_tells_a_refused_certificate() {
        for alert in [
            AlertDescription::CertificateRequired,
            AlertDescription::UnknownCA,
            AlertDescription::DecryptError,
        ] {
            let error = read_error(rustls::Error::AlertReceived(alert));
            assert!(matches!(error, Error::CertificateRejected { .. }), "{alert:?} gives {error:?}");
        }
    }

    #[test]
    fn other_failures_of_the_first_read() {
        assert!(matches!(
            read_error(rustls::Error::AlertReceived(AlertDescription::InternalError)),
            Error::Tls { source, .. } if source.is::<rustls::Error>()
        ));
        let reset = map_read_error(io::ErrorKind::ConnectionReset.into(), "a.example:8883");
        assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn finds_the_cause_however_deep() {
        let inner = io::Error::other(rustls::Error::HandshakeNotComplete);
        let outer = io::Error::other(tokio_tungstenite::tungstenite::Error::Io(inner));
        assert_eq!(tls_cause(&outer), Some(&rustls::Error::HandshakeNotComplete));
        assert_eq!(tls_cause(&io::Error::other("text")), None);
    }
}
