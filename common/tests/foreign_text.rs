//! Text of a broker's never controls the terminal that shows it.

#[allow(dead_code, reason = "each of the test files uses its part")]
#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::sync::Arc;

use common::{Auth, Client, ClientOptions, Endpoint, Event, Failure, Identity, Message, QoS, Roots};
use sandbox::Sandbox;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use support::{connect, device};

/// Clears the screen, forges a line, and turns the rest of the text around.
const REASON: &str = "no\x1b[2J\r\nhint: trust me\u{9b}1m\u{202e}";
const SHOWN: &str = r"(no\u{1b}[2J\r\nhint: trust me\u{9b}1m\u{202e})";

/// Requires that an error, as an application shows it and as a sample does, has the reason in its escaped form.
#[track_caller]
fn assert_is_plain(error: common::Error) {
    let own = error.to_string();
    let failure = Failure::from(error);
    for text in [&own, &failure.chain(), &format!("{failure:?}")] {
        assert!(text.contains(SHOWN), "{text:?}");
        let raw = |character: char| character != '\n' && (character.is_control() || character == '\u{202e}');
        assert!(!text.contains(raw), "{text:?}");
    }
    assert!(!own.contains('\n') && !failure.chain().contains('\n'), "{own:?}");
}

#[tokio::test]
async fn a_reason_string_of_connack_is_escaped() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.refuse_next_connect(0x87, REASON);
    assert_is_plain(Client::connect(device(&sandbox, "test-1")).await.unwrap_err());
}

#[tokio::test]
async fn a_reason_string_of_disconnect_is_escaped() {
    let sandbox = Sandbox::start().unwrap();
    let (_client, mut events) = connect(device(&sandbox, "test-1")).await;
    assert!(sandbox.disconnect("test-1", 0x87, Some(REASON)));
    let error = loop {
        if let Event::Disconnected { error } = events.next().await.expect("it is told of") {
            break error;
        }
    };
    drop(events);
    assert!(error.to_string().contains(SHOWN), "{error}");
    let stopped = common::Error::Stopped { source: Some(error) };
    let shown = format!("{:?}", Failure::from(stopped));
    assert!(shown.contains(SHOWN) && !shown.contains(['\x1b', '\r']), "{shown:?}");
}

#[tokio::test]
async fn a_reason_string_of_puback_suback_or_unsuback_is_escaped() {
    let (client, _events) = connect(refusing_broker().await).await;
    assert_is_plain(client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap_err());
    assert_is_plain(client.publish(Message::new("test/topic", "x")).await.unwrap_err());
    assert_is_plain(client.unsubscribe("test/topic").await.unwrap_err());
    client.disconnect().await.unwrap();
}

/// A broker that accepts one client and refuses whatever it asks, with [`REASON`]; how to connect to it.
async fn refusing_broker() -> ClientOptions {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    fs::write(&certificate, own.cert.pem()).unwrap();
    fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let identity = Identity::from_pem_files(&certificate, &key).unwrap();
    let roots = Roots::from_file(&certificate);
    // Reads the file.
    roots.describe().unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
        while let Some((kind, body)) = packet(&mut stream).await {
            let answer = match kind {
                1 => vec![0x20, 3, 0, 0, 0],
                // A PUBLISH of QoS 1 has its packet identifier behind the topic.
                3 => refusal(0x40, &body[2 + usize::from(body[1])..][..2], true),
                8 => refusal(0x90, &body[..2], false),
                10 => refusal(0xb0, &body[..2], false),
                _ => continue,
            };
            stream.write_all(&answer).await.unwrap();
        }
    });
    let endpoint = Endpoint::parse("localhost").unwrap().with_port(port);
    ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, "test-1").unwrap()
}

/// An acknowledgement with "not authorized" and [`REASON`] (MQTT 5.0 §3.4, §3.9): PUBACK has the code before the
/// properties, SUBACK and UNSUBACK behind them.
fn refusal(first: u8, id: &[u8], is_code_first: bool) -> Vec<u8> {
    const NOT_AUTHORIZED: u8 = 0x87;
    let text = [&[0x1f, 0, REASON.len() as u8], REASON.as_bytes()].concat();
    let properties = [&[text.len() as u8][..], &text].concat();
    let body = match is_code_first {
        true => [id, &[NOT_AUTHORIZED], &properties].concat(),
        false => [id, &properties, &[NOT_AUTHORIZED]].concat(),
    };
    [&[first, body.len() as u8][..], &body].concat()
}

/// The type and the body of the next packet; `None` at the end.
async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first >> 4, body))
}
