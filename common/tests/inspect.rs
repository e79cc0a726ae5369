//! One layer at a time, as the doctor looks at them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use common::{CredentialSource, Failure, StaticCredentials};
use iot_transport::{Error as TransportError, Identity, Layer, Roots, Route};
use sandbox::{Sandbox, ServerCertificate};

const LIMIT: Duration = Duration::from_secs(10);

fn route(sandbox: &Sandbox) -> Route {
    Roots::from_file(sandbox.ca_file()).into()
}

#[tokio::test]
async fn a_server_that_is_trusted() {
    let sandbox = Sandbox::start().unwrap();
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
    let alpn = Some(&b"x-amzn-mqtt-ca"[..]);
    let port = sandbox.https_port();
    let seen = route(&sandbox).inspect_tls("localhost", port, alpn, Some(&identity), LIMIT).await;
    let agreed = seen.outcome.unwrap();
    assert_eq!((agreed.version.as_str(), agreed.alpn.as_deref()), ("TLSv1.3", Some("x-amzn-mqtt-ca")));
    assert_eq!(seen.chain[0].names, ["localhost", "127.0.0.1"]);
    assert_eq!(seen.root, Some(seen.chain[0].issuer.clone()));
}

#[tokio::test]
async fn a_server_that_is_not_trusted_shows_its_certificate_and_is_refused() {
    for certificate in
        [ServerCertificate::UnknownIssuer, ServerCertificate::Expired, ServerCertificate::WrongHost]
    {
        let sandbox = Sandbox::builder().server_certificate(certificate).start().unwrap();
        let seen = route(&sandbox).inspect_tls("localhost", sandbox.mqtt_port(), None, None, LIMIT).await;
        assert!(
            matches!(seen.outcome, Err(TransportError::Tls { .. })),
            "{certificate:?}: {:?}",
            seen.outcome
        );
        assert!(!seen.chain.is_empty() && seen.root.is_none(), "{certificate:?}");
    }
}

#[tokio::test]
async fn the_clock_is_the_servers() {
    let sandbox = Sandbox::builder().clock_offset_seconds(-3600).start().unwrap();
    let clock = route(&sandbox).server_clock("localhost", sandbox.https_port(), LIMIT).await.unwrap();
    let skew = clock.skew.unwrap();
    assert!((3600..3620).contains(&skew), "{skew}");

    let other = Sandbox::start().unwrap();
    let refused = route(&other).server_clock("localhost", sandbox.https_port(), LIMIT).await.unwrap_err();
    let failure = Failure::from(refused);
    assert!(failure.chain().contains("UnknownIssuer"), "{failure:?}");
    assert!(
        failure.hint().is_some_and(|hint| hint.contains("name its file (the CA file setting)")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_way_ends_where_it_is_closed_or_silent() {
    let sandbox = Sandbox::start().unwrap();
    let route = route(&sandbox);
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let soon = Duration::from_millis(200);
    let seen = route.inspect_tls("localhost", port, None, None, soon).await;
    assert!(
        matches!(seen.outcome, Err(TransportError::ConnectTimeout { waiting_for: Layer::Tls, .. })),
        "{:?}",
        seen.outcome
    );
    drop(silent);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert!(matches!(route.probe_address(address, LIMIT).await, Err(TransportError::Tcp { .. })));
    assert!(matches!(route.probe("localhost", port, LIMIT).await.outcome, Err(TransportError::Tcp { .. })));
    let known = route.resolve("localhost", port, LIMIT).await.unwrap();
    assert!(known.contains(&address), "{known:?}");
}

#[tokio::test]
async fn credentials_are_told_without_their_secrets() {
    let route = Route::from(Roots::system());
    let given = StaticCredentials::new("ASIAEXAMPLE", "hush-key", Some("hush-token".into()));
    let examined = CredentialSource::Static(given).examine("us-east-1", &route).await.unwrap();
    assert_eq!(examined.access_key_id, "ASIAEXAMPLE");
    assert!(examined.are_temporary && examined.expires.is_none());
    assert!(!format!("{examined:?}").contains("hush"), "{examined:?}");
}
