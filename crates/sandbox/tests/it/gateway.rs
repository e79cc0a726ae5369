//! TLS, client certificates and ALPN.

use std::io::Read;

use sandbox::{Principal, Sandbox, ServerCertificate, Transport};

use crate::support::mqtt::{Client, Connect, connected};
use crate::support::tls::{Options, connect};
use crate::support::{builder, start};

/// Connects and reads; the error or the end of the stream, in words.
fn refusal(options: &Options<'_>) -> String {
    match connect(options).and_then(|mut tls| tls.read(&mut [0])) {
        Ok(count) => panic!("read {count} bytes"),
        Err(error) => error.to_string(),
    }
}

fn connack(sandbox: &Sandbox, options: &Options<'_>) -> u8 {
    let mut client = Client { stream: connect(options).unwrap(), level: 5 };
    client.send(&Connect::v5("gateway").packet());
    let code = client.packet().body[1];
    assert!(!sandbox.connections().is_empty());
    code
}

#[test]
fn a_device_connects_to_either_port() {
    let sandbox = start();
    assert_eq!(connack(&sandbox, &Options::mqtt(&sandbox)), 0);
    let options =
        Options { alpn: &["x-amzn-mqtt-ca"], device: Some(sandbox.device()), ..Options::https(&sandbox) };
    assert_eq!(connack(&sandbox, &options), 0);

    let connections = sandbox.connections();
    let [first, second] = &connections[..] else { panic!("{connections:?}") };
    assert_eq!((first.transport, first.principal), (Transport::MutualTls, Principal::Device));
    assert_eq!(
        (first.client_id.as_deref(), first.connack, first.protocol_level),
        (Some("gateway"), Some(0), Some(5))
    );
    assert_eq!((first.alpn.as_deref(), second.alpn.as_deref()), (None, Some("x-amzn-mqtt-ca")));
    assert_eq!(first.amz_date, None);
}

#[test]
fn both_versions_of_tls_are_spoken() {
    let sandbox = start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert_eq!(connack(&sandbox, &Options { versions: &[version], ..Options::mqtt(&sandbox) }), 0);
    }
}

#[test]
fn client_certificates_are_required() {
    let sandbox = start();
    let without = Options { device: None, ..Options::mqtt(&sandbox) };
    assert!(refusal(&without).contains("CertificateRequired"), "{}", refusal(&without));
    let by_alpn = Options { alpn: &["x-amzn-mqtt-ca"], ..Options::https(&sandbox) };
    assert!(refusal(&by_alpn).contains("CertificateRequired"), "{}", refusal(&by_alpn));
}

#[test]
fn devices_are_told_apart() {
    let sandbox = start();
    let second = sandbox.issue_device("second-thing").unwrap();
    assert_eq!(connack(&sandbox, &Options { device: Some(&second), ..Options::mqtt(&sandbox) }), 0);
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    let refused = refusal(&Options { device: Some(&stranger), ..Options::mqtt(&sandbox) });
    assert!(refused.contains("UnknownCA"), "{refused}");
    assert_eq!(sandbox.connections().len(), 1);
    assert!(sandbox.issue_device("../escape").is_err());
}

#[test]
fn a_handshake_without_server_name_is_refused() {
    let sandbox = start();
    for options in [Options::mqtt(&sandbox), Options::https(&sandbox)] {
        let refused = refusal(&Options { server_name: false, ..options });
        assert!(refused.contains("AccessDenied"), "{refused}");
    }
}

#[test]
fn unknown_alpn_is_refused() {
    let sandbox = start();
    for alpn in ["h2", "MQTT"] {
        let refused = refusal(&Options { alpn: &[alpn], ..Options::https(&sandbox) });
        assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    }
}

#[test]
fn server_certificates_fail_as_asked() {
    for (kind, words) in [
        (ServerCertificate::WrongHost, "not valid for name"),
        (ServerCertificate::Expired, "expired"),
        (ServerCertificate::NotYetValid, "not valid yet"),
        (ServerCertificate::SelfSigned, "UnknownIssuer"),
        (ServerCertificate::UnknownIssuer, "UnknownIssuer"),
    ] {
        let sandbox = builder().server_certificate(kind).start().unwrap();
        let refused = refusal(&Options::mqtt(&sandbox));
        assert!(refused.contains(words), "{kind:?}: {refused}");
    }
}

#[test]
fn what_is_no_mqtt_is_closed() {
    let sandbox = start();
    let mut client = Client { stream: connect(&Options::mqtt(&sandbox)).unwrap(), level: 5 };
    client.send(b"GET / HTTP/1.1\r\n\r\n");
    client.closed();
    // The sandbox is none the worse.
    connected(&sandbox, &Connect::v5("next")).ping();
}
