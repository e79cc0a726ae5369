//! WebSocket requests over real TLS: what is accepted, and each refusal.

use jiff::SignedDuration;
use sandbox::{Principal, Transport};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::mqtt::{Connect, Publish, packet, subscribe};
use crate::support::signed::{open, receive};
use crate::support::signer::{Signer, upgrade_request};
use crate::support::tls::{Answer, http};
use crate::support::{builder, start};

#[test]
fn a_signed_websocket_carries_mqtt() {
    let sandbox = start();
    let mut socket = open(&sandbox, &Signer::new(&sandbox));
    // MQTT takes no notice of where messages begin and end.
    let connect = Connect::v311("websocket").packet();
    socket.send(Message::binary(connect[..5].to_vec())).unwrap();
    socket.send(Message::binary(connect[5..].to_vec())).unwrap();
    assert_eq!(receive(&mut socket), [0x20, 2, 0, 0]);
    socket.send(Message::binary(subscribe(4, &["a"], &[]))).unwrap();
    assert_eq!(receive(&mut socket), [0x90, 3, 0, 9, 1]);
    socket.send(Message::binary(Publish::new("a", 0).packet(4))).unwrap();
    assert_eq!(receive(&mut socket), packet(0x30, b"\x00\x01ahello"));

    let connections = sandbox.connections();
    assert_eq!((connections[0].transport, connections[0].principal), (Transport::WebSocket, Principal::Iam));
    assert_eq!(connections[0].amz_date.as_ref().map(String::len), Some(16));
    assert_eq!(connections[0].access_key_id.as_ref(), Some(&sandbox.credentials().access_key_id));
    assert_eq!(connections[0].connack, Some(0));

    socket.send(Message::binary(vec![0xE0, 0])).unwrap();
    assert!(matches!(socket.read(), Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn text_messages_end_the_connection() {
    let sandbox = start();
    let mut socket = open(&sandbox, &Signer::new(&sandbox));
    socket.send(Message::text("hello")).unwrap();
    while let Ok(message) = socket.read() {
        assert!(message.is_close(), "{message:?}");
    }
}

#[test]
fn a_packet_that_is_too_large_is_told_of() {
    let sandbox = start();
    let mut socket = open(&sandbox, &Signer::new(&sandbox));
    socket.send(Message::binary(Connect::v5("large").packet())).unwrap();
    assert_eq!(receive(&mut socket)[3], 0);
    socket.send(Message::binary(packet(0x30, &vec![0; 2_000_000]))).unwrap();
    assert_eq!(receive(&mut socket), [0xE0, 2, 0x95, 0]);
}

#[test]
fn a_message_that_no_packet_needs_ends_the_connection() {
    let sandbox = start();
    let mut socket = open(&sandbox, &Signer::new(&sandbox));
    socket.send(Message::binary(Connect::v5("large").packet())).unwrap();
    assert_eq!(receive(&mut socket)[3], 0);
    // The sandbox may be gone before all of it is sent.
    let _ = socket.send(Message::binary(packet(0x30, &vec![0; 5_000_000])));
    while let Ok(message) = socket.read() {
        assert!(!message.is_binary(), "{message:?}");
    }
}

#[test]
fn the_policies_of_the_iam_identity_hold() {
    let sandbox = start();
    sandbox.set_policies(Principal::Iam, &[]).unwrap();
    let mut socket = open(&sandbox, &Signer::new(&sandbox));
    socket.send(Message::binary(Connect::v5("x").packet())).unwrap();
    assert_eq!(receive(&mut socket), [0x20, 3, 0, 0x87, 0]);
    assert_eq!(sandbox.connections()[0].connack, Some(0x87));
}

fn assert_forbidden(answer: &Answer, words: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.header("x-amzn-errortype"), "ForbiddenException:");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
    assert!(answer.message().contains(words), "{answer:?}");
}

#[test]
fn the_accepted_request() {
    let sandbox = start();
    let answer = http(&sandbox, &Signer::new(&sandbox).request());
    assert_eq!(answer.status, 101, "{answer:?}");
    // RFC 6455 §1.3.
    assert_eq!(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn signatures_are_refused_with_the_reason() {
    let sandbox = start();
    let right = || Signer::new(&sandbox);
    let host = right().host;
    let mut cases: Vec<(String, &str)> = Vec::new();
    // Nothing of a signature at all is for a custom authorizer; a part of one is a signature gone wrong.
    cases.push((upgrade_request("/mqtt?X-Amz-Date=20261120T210000Z", &host), "Missing Authentication Token"));
    let by_header = upgrade_request("/mqtt", &host)
        .replace("Connection:", "Authorization: AWS4-HMAC-SHA256 Credential=x\r\nConnection:");
    cases.push((by_header, "Missing Authentication Token"));
    let mut wrong = right();
    wrong.credentials.secret_access_key.push('x');
    cases.push((wrong.request(), "signature we calculated does not match"));
    let mut wrong = right();
    wrong.credentials.access_key_id = "ASIAAAAAAAAAAAAAAAAA".to_owned();
    cases.push((wrong.request(), "security token included in the request is invalid"));
    let mut wrong = right();
    wrong.credentials.session_token = "AAAA".to_owned();
    cases.push((wrong.request(), "security token included in the request is invalid"));
    let without = upgrade_request(&right().target_without_token(), &host);
    cases.push((without, "security token included in the request is invalid"));
    let expired = Signer { credentials: sandbox.expired_credentials().clone(), ..right() };
    cases.push((expired.request(), "security token included in the request is expired"));
    cases.push((Signer { region: "eu-west-1".to_owned(), ..right() }.request(), "scoped to a valid region"));
    cases.push((
        Signer { service: "iotdata".to_owned(), ..right() }.request(),
        "correct service: 'iotdevicegateway'",
    ));
    let other_host = upgrade_request(&Signer { host: "localhost".to_owned(), ..right() }.target(), &host);
    cases.push((other_host, "signature we calculated does not match"));
    for host in ["example.com", "127.0.0.1", "localhost.example.com:8443"] {
        let other = Signer { host: host.to_owned(), ..right() };
        cases.push((other.request(), "signature we calculated does not match"));
    }
    let twice = upgrade_request(&format!("{}&X-Amz-Security-Token=x", right().target()), &host);
    cases.push((twice, "must not occur more than once"));
    let old = right().time - SignedDuration::from_secs(310);
    cases.push((Signer { time: old, ..right() }.request(), "Signature expired: "));
    let early = right().time + SignedDuration::from_secs(310);
    cases.push((Signer { time: early, ..right() }.request(), "Signature not yet current: "));
    for (request, words) in cases {
        assert_forbidden(&http(&sandbox, &request), words);
    }
    assert!(sandbox.connections().is_empty());
}

#[test]
fn the_host_may_have_another_port_or_none() {
    let sandbox = start();
    for host in ["localhost", "LOCALHOST:1"] {
        let signer = Signer { host: host.to_owned(), ..Signer::new(&sandbox) };
        assert_eq!(http(&sandbox, &signer.request()).status, 101, "{host}");
    }
}

#[test]
fn requests_for_other_hosts_are_refused() {
    let sandbox = start();
    let services = [
        "GET /role-aliases/test-role-alias/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /federation/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    ];
    // Without a signature: for a custom authorizer.
    let upgrade = upgrade_request("/mqtt", "localhost");
    for right in services.into_iter().chain([upgrade.as_str()]) {
        for host in ["example.com", "127.0.0.1", "localhost:8443:8443"] {
            let answer = http(&sandbox, &right.replace("Host: localhost", &format!("Host: {host}")));
            let error_type = answer.header("x-amzn-errortype");
            assert_eq!((answer.status, error_type), (421, "MisdirectedRequestException:"), "{right}");
        }
        for wrong in [
            right.replace(" /", " https://localhost/"),
            right.replace("Host: localhost\r\n", ""),
            right.replace("Host: localhost", "Host: localhost\r\nHost: localhost"),
        ] {
            assert_eq!(http(&sandbox, &wrong).status, 400, "{wrong}");
        }
    }
    assert!(sandbox.connections().is_empty() && sandbox.credential_requests().is_empty());
}

#[test]
fn requests_that_are_no_upgrade_are_refused() {
    let sandbox = start();
    let signer = Signer::new(&sandbox);
    let (right, host) = (signer.request(), &signer.host);
    let plain = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", signer.target());
    let cases = [
        (plain, 426, "UpgradeRequiredException:"),
        (right.replace("GET /mqtt", "GET /other"), 404, "ResourceNotFoundException:"),
        (right.replace("GET", "PUT"), 405, "MethodNotAllowedException:"),
        (right.replace("Sec-WebSocket-Protocol: mqtt\r\n", ""), 400, "BadRequestException:"),
        (right.replace("Protocol: mqtt", "Protocol: wamp"), 400, "BadRequestException:"),
        (right.replace("Protocol: mqtt", "Protocol: MQTT"), 400, "BadRequestException:"),
        (right.replace("HTTP/1.1", "HTTP/1.0"), 400, "BadRequestException:"),
        (right.replace("GET /mqtt", &format!("GET https://{host}/mqtt")), 400, "BadRequestException:"),
        (right.replace(&format!("Host: {host}\r\n"), ""), 400, "BadRequestException:"),
        (right.replace("Host: ", &format!("Host: {host}\r\nHost: ")), 400, "BadRequestException:"),
        (right.replace("Key: dGhl", "Key: "), 400, "BadRequestException:"),
        (right.replace("Key: dGhl", "Key: !!!!"), 400, "BadRequestException:"),
        (right.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"), 400, "BadRequestException:"),
        (right.replace("Version: 13", "Version: 8"), 400, "BadRequestException:"),
    ];
    for (request, status, error_type) in cases {
        let answer = http(&sandbox, &request);
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (status, error_type), "{answer:?}");
        assert!(!answer.message().is_empty());
    }
}

#[test]
fn a_clock_that_is_off_shows_in_the_date_and_in_refusals() {
    let sandbox = builder().clock_offset_seconds(-3600).start().unwrap();
    for (offset, words) in [(-3600, "Signature not yet current: "), (3600, "Signature expired: ")] {
        sandbox.set_clock_offset_seconds(offset);
        let answer = http(&sandbox, &Signer::new(&sandbox).request());
        assert_forbidden(&answer, words);
        let date = jiff::fmt::rfc2822::parse(answer.header("date")).unwrap().timestamp();
        let ahead = date.duration_since(jiff::Timestamp::now()).as_secs();
        assert!((offset - 10..=offset + 10).contains(&ahead), "{ahead} s ahead");
    }
}
