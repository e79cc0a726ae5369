//! Text of a broker's never controls the terminal that shows it.

#[allow(dead_code, reason = "each of the test files uses its part")]
#[path = "support/odd_broker.rs"]
mod odd_broker;
#[allow(dead_code, reason = "each of the test files uses its part")]
mod support;

use common::Failure;
use iot_client::{Client, Event, Message, QoS};
use odd_broker::{CONNACK, OddBroker, packet};
use sandbox::Sandbox;
use support::{connect, device};
use tokio::io::AsyncWriteExt;

/// Clears the screen, forges a line, and turns the rest of the text around.
const REASON: &str = "no\x1b[2J\r\nhint: trust me\u{9b}1m\u{202e}";
const SHOWN: &str = r"(no\u{1b}[2J\r\nhint: trust me\u{9b}1m\u{202e})";

/// Requires that an error, as an application shows it and as a sample does, has the reason in its escaped form.
#[track_caller]
fn assert_is_plain(error: iot_client::Error) {
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
    let stopped = iot_client::Error::Stopped { source: Some(error) };
    let shown = format!("{:?}", Failure::from(stopped));
    assert!(shown.contains(SHOWN) && !shown.contains(['\x1b', '\r']), "{shown:?}");
}

#[tokio::test]
async fn a_reason_string_of_puback_suback_or_unsuback_is_escaped() {
    let broker = OddBroker::start().await;
    let options = broker.options();
    let refusing = tokio::spawn(refuse_all(broker));
    let (client, _events) = connect(options).await;
    assert_is_plain(client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap_err());
    assert_is_plain(client.publish(Message::new("test/topic", "x")).await.unwrap_err());
    assert_is_plain(client.unsubscribe("test/topic").await.unwrap_err());
    client.disconnect().await.unwrap();
    refusing.await.unwrap();
}

/// Accepts the client, and refuses all that it asks with [`REASON`], until it disconnects.
async fn refuse_all(broker: OddBroker) {
    let mut stream = broker.connect().await;
    stream.write_all(&CONNACK).await.unwrap();
    loop {
        let (first, body, _) = packet(&mut stream).await;
        let answer = match first >> 4 {
            // A PUBLISH of QoS 1 has its packet identifier behind the topic.
            3 => refusal(0x40, &body[2 + usize::from(body[1])..][..2], true),
            8 => refusal(0x90, &body[..2], false),
            10 => refusal(0xb0, &body[..2], false),
            12 => vec![0xd0, 0],
            _ => return,
        };
        stream.write_all(&answer).await.unwrap();
    }
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
