//! Connections through proxies to the sandbox: every kind of proxy, every way to log in, every refusal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{CredentialSource, Failure, SigV4, StaticCredentials};
use iot_client::{Auth, Client, ClientOptions, Error};
use iot_transport::{
    Endpoint, Error as TransportError, Identity, Layer, Proxies, Proxy, ProxyProblem, Roots, Route,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use sandbox::Sandbox;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[path = "support/proxy.rs"]
mod proxy;

use proxy::{Protocol, TestProxy};

const LOGIN: &str = "bob@corp:p@ss: w/%";
const LOGIN_IN_URL: &str = "bob%40corp:p%40ss%3A%20w%2F%25@";

/// TLS for a proxy at `localhost`, and its CA's file.
fn proxy_tls(folder: &TempDir) -> (TlsAcceptor, Roots) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let file = folder.path().join("proxy-ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), Roots::from_file(file))
}

fn device(sandbox: &Sandbox) -> Auth {
    let device = sandbox.device();
    Auth::MutualTls(Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap())
}

fn signed(sandbox: &Sandbox) -> Auth {
    let keys = sandbox.credentials();
    let keys = StaticCredentials::new(
        keys.access_key_id.clone(),
        keys.secret_access_key.clone(),
        Some(keys.session_token.clone().into()),
    );
    Auth::from(SigV4::new(CredentialSource::Static(keys), sandbox.region().to_owned()))
}

fn through(sandbox: &Sandbox, url: &str, proxy_roots: Roots) -> Route {
    let proxies = Proxies::always(Proxy::parse(url).unwrap());
    Route::new(Roots::from_file(sandbox.ca_file()), proxies, proxy_roots)
}

/// Options for `host` and the sandbox's mqtt port.
fn options(sandbox: &Sandbox, host: &str, route: Route) -> ClientOptions {
    let endpoint = Endpoint::parse(host).unwrap().with_port(sandbox.mqtt_port());
    ClientOptions::new(endpoint, device(sandbox), route, "test-proxy").unwrap()
}

/// All that a user sees of the failure of a connection to `host` through the proxy at `url`.
async fn refused(sandbox: &Sandbox, host: &str, url: &str) -> String {
    let options = options(sandbox, host, through(sandbox, url, Roots::system()));
    let error = Client::connect(options).await.map(drop).expect_err("no way");
    assert_eq!(error.layer(), Layer::Proxy);
    let shown = format!("{:?}", Failure::from(error));
    assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
    shown
}

#[tokio::test]
async fn every_proxy_carries_every_transport() {
    let sandbox = Sandbox::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (tls, proxy_roots) = proxy_tls(&folder);
    for (scheme, protocol, asked_host) in [
        ("socks5", Protocol::Socks5, "127.0.0.1"),
        ("socks5h", Protocol::Socks5, "localhost"),
        ("http", Protocol::Http, "localhost"),
        ("https", Protocol::Https(tls), "localhost"),
    ] {
        for (login, user_info) in [(None, ""), (None, LOGIN_IN_URL), (Some(LOGIN), LOGIN_IN_URL)] {
            for (auth, port) in
                [(device(&sandbox), sandbox.mqtt_port()), (signed(&sandbox), sandbox.https_port())]
            {
                let proxy = TestProxy::start(protocol.clone(), login, port).await;
                let url = format!("{scheme}://{user_info}localhost:{}", proxy.address.port());
                let route = through(&sandbox, &url, proxy_roots.clone());
                let endpoint = Endpoint::parse("localhost").unwrap().with_port(port);
                let options = ClientOptions::new(endpoint, auth, route, "test-proxy").unwrap();
                let (client, _events) = Client::connect(options)
                    .await
                    .unwrap_or_else(|error| panic!("{url}: {:?}", Failure::from(error)));
                client.disconnect().await.unwrap();
                assert_eq!(proxy.asked(), [format!("{asked_host}:{port}")], "{url}");
            }
        }
    }
}

#[tokio::test]
async fn who_answers_for_the_broker_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    for (scheme, protocol) in [("socks5h", Protocol::Socks5), ("http", Protocol::Http)] {
        // The name has no address: only the proxy is asked for it, and takes us to somebody else.
        let proxy = TestProxy::start(protocol, None, sandbox.mqtt_port()).await;
        let url = format!("{scheme}://{}", proxy.address);
        let options = options(&sandbox, "broker.invalid", through(&sandbox, &url, Roots::system()));
        let error = Client::connect(options).await.map(drop).expect_err("another certificate");
        assert!(
            matches!(&error, Error::Transport(TransportError::Proxy { problem, .. }) if **problem == ProxyProblem::Tls),
            "{error:?}"
        );
        assert_eq!(error.layer(), Layer::Tls);
        let shown = format!("{:?}", Failure::from(error));
        assert!(shown.contains("the TLS handshake failed: invalid peer certificate"), "{shown}");
        assert!(shown.contains("hint: what answers through the proxy is not broker.invalid:"), "{shown}");
    }
}

#[tokio::test]
async fn refusals_say_what_the_proxy_said() {
    let sandbox = Sandbox::start().unwrap();
    let port = sandbox.mqtt_port();
    for (scheme, protocol, wanted, wrong, forbidden) in [
        (
            "socks5h",
            Protocol::Socks5,
            "the proxy wants a user name and a password: no acceptable method (SOCKS5 method 0xff)",
            "does not accept the user name and the password: SOCKS5 login status 0x01",
            "the proxy refused: connection not allowed by its ruleset (SOCKS5 reply 0x02)",
        ),
        (
            "http",
            Protocol::Http,
            "the proxy wants a user name and a password: HTTP 407 Proxy Authentication Required: who, you",
            "does not accept the user name and the password: HTTP 407 Proxy Authentication Required: who, you",
            "the proxy refused: HTTP 403 Forbidden, ERR_ACCESS_DENIED 0",
        ),
    ] {
        let proxy = TestProxy::start(protocol.clone(), Some(LOGIN), port).await;
        let shown = refused(&sandbox, "localhost", &format!("{scheme}://{}", proxy.address)).await;
        assert!(shown.contains(wanted) && shown.contains("hint: put user:password into a file"), "{shown}");
        let url = format!("{scheme}://bob:p%40ss-word@{}", proxy.address);
        let shown = refused(&sandbox, "localhost", &url).await;
        assert!(shown.contains(wrong) && shown.contains("hint: check the user name"), "{shown}");
        let url = format!("{scheme}://{LOGIN_IN_URL}{}", proxy.address);
        let shown = refused(&sandbox, "forbidden.invalid", &url).await;
        assert!(shown.contains(forbidden), "{shown}");
        let hint = "hint: the proxy's rules must allow ";
        assert!(shown.contains(hint) && shown.contains("forbidden.invalid"), "{shown}");
    }
}

/// Listens, sends each client these bytes, and holds on to it.
async fn says(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut clients = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.read(&mut [0; 1]).await;
            let _ = client.write_all(bytes).await;
            clients.push(client);
        }
    });
    address
}

#[tokio::test]
async fn nothing_outlasts_the_deadline() {
    let sandbox = Sandbox::start().unwrap();
    let after = Duration::from_millis(300);
    for (scheme, bytes, words) in [
        ("socks5h", &b""[..], "waiting for proxy\nhint: the proxy does not answer"),
        ("socks5h", b"\x05", r#"waiting for proxy (the proxy said "\x05")"#),
        ("http", b"", "waiting for proxy\n"),
        ("http", b"HTTP/1.1 200", r#"waiting for proxy (the proxy said "HTTP/1.1 200")"#),
        ("https", b"", "waiting for proxy\n"),
    ] {
        let address = says(bytes).await;
        let url = format!("{scheme}://{LOGIN_IN_URL}{address}");
        let mut options = options(&sandbox, "localhost", through(&sandbox, &url, Roots::system()));
        options.connect_timeout = after;
        let began = Instant::now();
        let error = Client::connect(options).await.map(drop).expect_err("silence");
        assert!(began.elapsed() < after + Duration::from_secs(5));
        assert!(matches!(error, Error::Transport(TransportError::ConnectTimeout { .. })), "{error:?}");
        let shown = format!("{:?}", Failure::from(error));
        assert!(
            shown.contains(&format!(" through the proxy {scheme}://{address} within 0.3 s: ")),
            "{shown}"
        );
        assert!(shown.contains(words), "{shown}");
    }
}

#[tokio::test]
async fn a_variable_that_cannot_be_parsed_stops_the_client() {
    let sandbox = Sandbox::start().unwrap();
    let variable = |name: &str| (name == "all_proxy").then(|| "gopher://bob:p%40ss@a".into());
    let proxies = Proxies::from_environment(variable).unwrap();
    let route = Route::new(Roots::from_file(sandbox.ca_file()), proxies, Roots::system());
    let endpoint = Endpoint::parse("localhost").unwrap().with_port(sandbox.mqtt_port());
    let error = ClientOptions::new(endpoint, device(&sandbox), route, "test-proxy").expect_err("no proxy");
    assert!(
        error.to_string().starts_with("all_proxy does not name a proxy: the scheme gopher://"),
        "{error}"
    );
}
