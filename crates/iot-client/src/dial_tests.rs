//! Whole dials against TLS servers in this process.

#[path = "blocking_key_tests.rs"]
mod blocking_key;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use iot_transport::tls::map_read_error;
use iot_transport::{Proxies, Proxy, Roots};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::sign_upgrade::Prepared;

/// A CA, and the files that a device of it would have.
struct Pki {
    folder: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("CA {}", fastrand::u64(..)));
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca"), ca.pem()).expect("writable");
        Self { folder, ca }
    }

    fn roots(&self) -> Roots {
        Roots::from_file(self.folder.path().join("ca"))
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        (params.signed_by(&key, &self.ca).expect("a certificate"), key)
    }

    fn identity(&self) -> Identity {
        let (certificate, key) = self.issue("device");
        let (certificate_file, key_file) = (self.folder.path().join("cert"), self.folder.path().join("key"));
        std::fs::write(&certificate_file, certificate.pem()).expect("writable");
        std::fs::write(&key_file, key.serialize_pem()).expect("writable");
        Identity::from_pem_files(&certificate_file, &key_file).expect("loads")
    }

    fn server(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        client_certificate: bool,
    ) -> ServerConfig {
        let (certificate, key) = self.issue("localhost");
        let builder = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(versions)
            .expect("versions");
        let builder = if client_certificate {
            let roots = self.roots().load().expect("loads");
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, tls::provider());
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        builder.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration")
    }
}

/// Accepts one connection and echoes a byte over it.
async fn echo(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("accepts");
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            let byte = stream.read_u8().await.expect("reads");
            stream.write_u8(byte).await.expect("writes");
            stream.flush().await.expect("flushes");
        }
    });
    address
}

fn dialer(address: SocketAddr, auth: Auth, roots: Roots) -> Dialer {
    let endpoint = Endpoint::parse("localhost").expect("a name").with_port(address.port());
    Dialer::new(endpoint, auth, roots.into()).expect("a dialer")
}

/// Signs with the name of a key: the one that is kept from an earlier connection, or AKID.
#[derive(Debug, Default)]
struct TestSigner {
    kept: std::sync::Mutex<Option<&'static str>>,
    /// Nothing can be signed with.
    is_broken: bool,
}

impl SignUpgrade for TestSigner {
    fn check(&self) -> Result<(), Error> {
        if self.is_broken { Err(Error::Settings("broken".to_owned())) } else { Ok(()) }
    }

    fn prepare<'a>(&'a self, _: &'a Route, timeline: &'a Timeline) -> BoxFuture<'a, Result<Prepared, Error>> {
        Box::pin(async {
            let step = timeline.step(Layer::Credentials);
            let kept = *self.kept.lock().expect("not poisoned");
            if kept == Some("") {
                let (from, source) = ("a test".to_owned(), "none".into());
                return Err(Error::Credentials { from, hint: None, is_permanent: false, source });
            }
            step.done("from a test");
            let key = kept.unwrap_or("AKID");
            Ok(Prepared {
                sign: Box::new(move |_| Ok(format!("/mqtt?X-Amz-Credential={key}%2F"))),
                kept: kept.is_some(),
                auth: self.auth_kind(),
            })
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { *self.kept.lock().expect("not poisoned") = None })
    }

    fn auth_kind(&self) -> AuthKind {
        AuthKind::Credentials { cognito_identity: None }
    }
}

fn signed() -> Auth {
    Auth::SignedWebSocket(Arc::new(TestSigner::default()))
}

/// What the first byte there and back ends in.
async fn first_byte(dialer: &Dialer) -> Result<u8, Error> {
    let mut stream = dialer.dial_tls(&Timeline::start()).await?;
    let failed = |error| map_read_error(error, &dialer.target()).expect("TLS has failed");
    stream.write_u8(7).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    Ok(stream.read_u8().await.map_err(failed)?)
}

#[test]
fn the_roots_for_the_proxy_are_read_and_the_signer_is_checked_before_a_connection() {
    let pki = Pki::new();
    let missing = || Roots::from_file(pki.folder.path().join("missing"));
    let endpoint = || Endpoint::parse("localhost").expect("a name");
    let through =
        |url: &str| Route::new(pki.roots(), Proxies::always(Proxy::parse(url).expect("a proxy")), missing());
    let refused = |auth, route| match Dialer::new(endpoint(), auth, route) {
        Err(Error::Transport(iot_transport::Error::File { path, .. })) => path.ends_with("missing"),
        Err(error) => panic!("{error:?}"),
        Ok(_) => false,
    };
    assert!(refused(signed(), through("https://localhost")));
    assert!(!refused(signed(), through("http://localhost")));
    let broken = Auth::SignedWebSocket(Arc::new(TestSigner { is_broken: true, ..TestSigner::default() }));
    assert!(matches!(Dialer::new(endpoint(), broken, pki.roots().into()), Err(Error::Settings(_))));
}

#[tokio::test]
async fn mutual_tls() {
    let pki = Pki::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut server = pki.server(&[version], true);
        server.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec()];
        let dialer = dialer(echo(server).await, Auth::MutualTls(pki.identity()), pki.roots());
        let timeline = Timeline::start();
        let mut stream = dialer.dial(&timeline).await.expect("connects");
        stream.write_u8(7).await.expect("writes");
        stream.flush().await.expect("flushes");
        assert_eq!(stream.read_u8().await.expect("reads"), 7);

        let steps = timeline.steps();
        assert_eq!(
            steps.iter().map(|step| step.layer).collect::<Vec<_>>(),
            [Layer::Dns, Layer::Tcp, Layer::Tls]
        );
        assert!(steps.iter().all(|step| step.ended.is_some()));
        let Some(Detail::Tls { version, alpn, certificate }) = &steps[2].detail else { panic!("{steps:#?}") };
        assert!(["TLSv1.2", "TLSv1.3"].contains(&version.as_str()), "{version}");
        assert_eq!(alpn.as_deref(), Some("x-amzn-mqtt-ca"));
        assert!(certificate.as_ref().is_some_and(|one| one.not_after > SystemTime::now()), "{certificate:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_that_the_server_refuses() {
    let (pki, other) = (Pki::new(), Pki::new());
    for (auth, version, hint) in [
        (Auth::MutualTls(other.identity()), &rustls::version::TLS13, "registered"),
        (Auth::MutualTls(other.identity()), &rustls::version::TLS12, "registered"),
        (signed(), &rustls::version::TLS13, "wants a client certificate"),
    ] {
        let dialer = dialer(echo(pki.server(&[version], true)).await, auth, pki.roots());
        let error = first_byte(&dialer).await.expect_err("refused");
        assert!(
            matches!(error, Error::Transport(iot_transport::Error::CertificateRejected { .. })),
            "{error:?}"
        );
        assert!(error.hint().is_some_and(|text| text.contains(hint)), "{:?}", error.hint());
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted() {
    let (pki, other) = (Pki::new(), Pki::new());
    let address = echo(pki.server(rustls::ALL_VERSIONS, false)).await;
    let error = first_byte(&dialer(address, signed(), other.roots())).await.expect_err("unknown issuer");
    assert!(matches!(error, Error::Transport(iot_transport::Error::Tls { .. })), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("is not trusted here")), "{:?}", error.hint());

    let address = echo(pki.server(rustls::ALL_VERSIONS, false)).await;
    let endpoint = Endpoint::parse("127.0.0.1").expect("an address").with_port(address.port());
    let by_address = Dialer::new(endpoint, signed(), pki.roots().into()).expect("a dialer");
    let error = first_byte(&by_address).await.expect_err("another name");
    assert!(error.hint().is_some_and(|hint| hint.contains("is for another name")), "{:?}", error.hint());
}

#[tokio::test]
async fn a_server_whose_certificate_is_a_ca() {
    let pki = Pki::new();
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(pki.folder.path().join("ca"), certificate.pem()).expect("writable");
    let server = ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a configuration");
    let error = first_byte(&dialer(echo(server).await, signed(), pki.roots())).await.expect_err("a CA");
    assert!(error.hint().is_some_and(|hint| hint.contains("presents a CA certificate")), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("writes");
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let error = first_byte(&dialer(address, signed(), Roots::system())).await.expect_err("not TLS");
    assert!(matches!(error, Error::Transport(iot_transport::Error::Tls { .. })), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("does not speak TLS")), "{:?}", error.hint());
}

#[tokio::test]
async fn a_timeout_names_the_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let dialer = dialer(listener.local_addr().expect("an address"), signed(), Roots::system());
    let timeline = Timeline::start();
    let silent = tokio::time::timeout(Duration::from_millis(100), dialer.dial(&timeline));
    assert!(silent.await.is_err());
    assert_eq!(timeline.waiting_for(), Some(Layer::Tls));
}

#[tokio::test]
async fn credentials_fail_the_dial_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let auth = Auth::SignedWebSocket(Arc::new(TestSigner { kept: Some("").into(), ..TestSigner::default() }));
    let dialer = dialer(listener.local_addr().expect("an address"), auth, Roots::system());
    assert!(matches!(dialer.dial(&Timeline::start()).await, Err(Error::Credentials { .. })));
}

/// Answers every upgrade with 403, and tells whose signature it carried.
async fn refusing(config: ServerConfig) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let (keys, signed_with) = mpsc::unbounded_channel();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let mut stream = acceptor.accept(stream).await.expect("shakes hands");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("reads"));
            }
            let request = String::from_utf8(request).expect("UTF-8");
            let (_, credential) = request.split_once("X-Amz-Credential=").expect("a signature");
            let key = credential.split_once('%').map(|(key, _)| key.to_owned()).expect("a scope");
            keys.send(key).expect("the test listens");
            let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.expect("writes");
            stream.flush().await.expect("flushes");
        }
    });
    (address, signed_with)
}

#[tokio::test]
async fn kept_credentials_that_are_refused_are_resolved_anew_once() {
    let pki = Pki::new();
    let (address, mut signed_with) = refusing(pki.server(rustls::ALL_VERSIONS, false)).await;
    let signer = Arc::new(TestSigner::default());
    let dialer = dialer(address, Auth::SignedWebSocket(Arc::<TestSigner>::clone(&signer)), pki.roots());

    // Those of the source itself are not tried twice.
    let timeline = Timeline::start();
    let error = dialer.dial(&timeline).await.err().expect("refused");
    assert!(matches!(error, Error::UpgradeRefused { .. }) && error.is_permanent(), "{error:?}");
    assert_eq!(signed_with.try_recv().as_deref(), Ok("AKID"));
    assert!(signed_with.try_recv().is_err());

    *signer.kept.lock().expect("not poisoned") = Some("KEPT");
    let timeline = Timeline::start();
    let error = dialer.dial(&timeline).await.err().expect("refused");
    assert!(matches!(error, Error::UpgradeRefused { .. }) && error.is_permanent(), "{error:?}");
    assert_eq!(signed_with.try_recv().as_deref(), Ok("KEPT"));
    assert_eq!(signed_with.try_recv().as_deref(), Ok("AKID"));
    assert!(signed_with.try_recv().is_err());
    timeline.failed(&error, error.late());
    let steps = timeline.steps();
    let upgrades: Vec<_> = steps.iter().filter(|step| step.layer == Layer::WebSocket).collect();
    assert_eq!(upgrades.len(), 2);
    assert!(upgrades.iter().all(|step| matches!(step.detail, Some(Detail::WebSocket { status: 403 }))));
}

#[test]
fn ports_and_alpn() {
    let pki = Pki::new();
    let mutual = Auth::MutualTls(pki.identity());
    assert_eq!((mutual.default_port(), mutual.alpn(8883)), (8883, None));
    assert_eq!(mutual.alpn(443), Some(&b"x-amzn-mqtt-ca"[..]));
    assert_eq!((signed().default_port(), signed().alpn(443)), (443, Some(&b"http/1.1"[..])));
    let endpoint = Endpoint::parse("::1").expect("an address");
    assert_eq!(Dialer::new(endpoint, mutual, pki.roots().into()).expect("a dialer").target(), "[::1]:8883");
}
