//! The layers of a connection one by one, for whoever looks for a fault. Clients dial all of them at once.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::time::timeout;

use super::{Identity, Route, tcp, tls};
use crate::certificate::Certificate;
use crate::crypto;
use crate::endpoint::bracketed;
use crate::error::Error;
use crate::layer::Layer;
use crate::text::one_line;
use crate::timeline::{Detail, Step, Timeline};
use crate::x509;

/// What came of a way to a server, through its proxy if it has one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Probe {
    /// The steps that were taken, in order.
    pub steps: Vec<Step>,
    /// Whether there is a way.
    pub outcome: Result<(), Error>,
}

/// What came of a TLS handshake, and what the server showed in it.
#[derive(Debug)]
#[non_exhaustive]
pub struct TlsInspection {
    /// The server's certificate and those that it sent along, whether or not they are to be trusted; none where the
    /// handshake did not get that far.
    pub chain: Vec<Certificate>,
    /// The root that the chain leads to, where it is trusted.
    pub root: Option<String>,
    /// What was agreed on; the error is that of a certificate that is not to be trusted, too.
    pub outcome: Result<Agreed, Error>,
}

/// What client and server have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The protocol version, such as "TLSv1.3".
    pub version: String,
    /// The cipher suite, by the name that IANA has for it.
    pub cipher_suite: String,
    /// The protocol that the server took of those offered by ALPN (RFC 7301).
    pub alpn: Option<String>,
}

impl Route {
    /// The addresses of `host`, which are looked up within `limit`.
    ///
    /// # Errors
    /// [`Error::Resolve`], [`Error::ConnectTimeout`].
    pub async fn resolve(&self, host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, Error> {
        let timeline = Timeline::start();
        let lookup = async {
            let _step = timeline.step(Layer::Dns);
            tcp::resolve(host, port, self.family()).await
        };
        self.within(limit, host, port, &timeline, lookup).await
    }

    /// Connects to one address, without a proxy, within `limit`, and closes the connection.
    ///
    /// # Errors
    /// [`Error::Tcp`], [`Error::ConnectTimeout`].
    pub async fn probe_address(&self, address: SocketAddr, limit: Duration) -> Result<(), Error> {
        let target = address.to_string();
        match timeout(limit, tcp::connect(&[address], &target)).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(Error::ConnectTimeout {
                target,
                proxy: None,
                waiting_for: Layer::Tcp,
                seen: None,
                after: limit,
            }),
        }
    }

    /// Goes the way to `host` at `port`, through its proxy if it has one, within `limit`, and closes the connection.
    pub async fn probe(&self, host: &str, port: u16, limit: Duration) -> Probe {
        let timeline = Timeline::start();
        let way = self.connect(host, port, &timeline);
        let outcome = self.within(limit, host, port, &timeline, way).await.map(drop);
        Probe { steps: timeline.steps(), outcome }
    }

    /// Shakes hands with `host` at `port` within `limit`, as a connection would that offers `alpn` and has `identity`,
    /// and closes the connection. The server's certificate has to be one to trust, and is shown either way.
    pub async fn inspect_tls(
        &self,
        host: &str,
        port: u16,
        alpn: Option<&[u8]>,
        identity: Option<&Identity>,
        limit: Duration,
    ) -> TlsInspection {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let timeline = Timeline::start();
        let handshake = self.shake_hands(host, port, alpn, identity, &seen, &timeline);
        let outcome = self.within(limit, host, port, &timeline, handshake).await;
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        let root = match (&outcome, self.roots().load()) {
            (Ok(_), Ok(roots)) => root(&seen, &roots),
            _ => None,
        };
        let chain = seen.iter().filter_map(|certificate| Certificate::from_der(certificate)).collect();
        TlsInspection { chain, root, outcome }
    }

    async fn shake_hands(
        &self,
        host: &str,
        port: u16,
        alpn: Option<&[u8]>,
        identity: Option<&Identity>,
        seen: &Arc<Mutex<Vec<CertificateDer<'static>>>>,
        timeline: &Timeline,
    ) -> Result<Agreed, Error> {
        let config = tls::config(self.roots(), identity, alpn.map(<[u8]>::to_vec))?;
        let mut config = Arc::unwrap_or_clone(config);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(self.roots().load()?, crypto::provider()).build();
        let verifier = verifier.map_err(|error| Error::Settings(format!("no roots to trust: {error}")))?;
        // It asks the verifier that every connection has; what is dangerous is only that it could do otherwise.
        config.dangerous().set_certificate_verifier(Arc::new(Recording { verifier, seen: Arc::clone(seen) }));

        let stream = self.connect(host, port, timeline).await?;
        let step = timeline.step(Layer::Tls);
        let target = format!("{}:{port}", bracketed(host));
        let turn = identity.filter(|identity| identity.blocks()).map(|_| Arc::default());
        let stream = tls::connect(Arc::new(config), host, stream, &target, turn.as_ref()).await;
        let stream = stream.map_err(|error| self.explain(host, error))?;
        let detail = tls::describe(&stream);
        step.done(detail.clone());
        let suite = stream.get_ref().1.negotiated_cipher_suite();
        let suite = suite.and_then(|suite| suite.suite().as_str()).unwrap_or("an unknown cipher suite");
        match detail {
            Detail::Tls { version, alpn, .. } => Ok(Agreed { version, cipher_suite: suite.to_owned(), alpn }),
            other => Err(Error::Settings(format!("TLS was described as {other}"))),
        }
    }

    async fn within<T>(
        &self,
        limit: Duration,
        host: &str,
        port: u16,
        timeline: &Timeline,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::ConnectTimeout {
                target: format!("{}:{port}", bracketed(host)),
                proxy: self.proxy_for(host).ok().flatten().map(ToString::to_string),
                waiting_for: timeline.waiting_for().unwrap_or(Layer::Tcp),
                seen: timeline.waiting_after(),
                after: limit,
            }),
        }
    }
}

/// Notes a server's certificates before it has them verified.
#[derive(Debug)]
struct Recording {
    verifier: Arc<WebPkiServerVerifier>,
    seen: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = [end_entity].into_iter().chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The name of the root that a trusted chain leads to: the first trusted issuer, from the server's certificate upwards.
fn root(chain: &[CertificateDer<'static>], roots: &RootCertStore) -> Option<String> {
    chain.first()?;
    x509::upwards(chain, 0).iter().find_map(|certificate| {
        let certificate = x509::parse(certificate)?;
        let issuer = certificate.issuer();
        // A trust anchor's name is without the header of its SEQUENCE.
        let is_trusted = roots.roots.iter().any(|root| issuer.as_raw().ends_with(&root.subject));
        is_trusted.then(|| one_line(&issuer.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    fn ca(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).expect("valid");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    #[test]
    fn the_root_is_found_over_intermediates() {
        let key = || KeyPair::generate().expect("a key");
        let top = CertifiedIssuer::self_signed(ca("top"), key()).expect("signs");
        let middle = CertifiedIssuer::signed_by(ca("middle"), key(), &top).expect("signs");
        let leaf = CertificateParams::new(vec!["a.example".to_owned()]).expect("valid");
        let leaf = leaf.signed_by(&key(), &middle).expect("signs");

        let chain = [leaf.der().clone(), middle.der().clone()];
        let trusting = |anchor: &CertificateDer<'static>| {
            let mut roots = RootCertStore::empty();
            roots.add(anchor.clone()).expect("a root");
            root(&chain, &roots)
        };
        let names = [trusting(top.der()), trusting(middle.der())];
        assert!(names[0].as_ref().is_some_and(|name| name.contains("CN=top")), "{names:?}");
        assert!(names[1].as_ref().is_some_and(|name| name.contains("CN=middle")), "{names:?}");
        assert_eq!(root(&chain, &RootCertStore::empty()), None);
        assert_eq!(root(&[], &RootCertStore::empty()), None);
    }
}
