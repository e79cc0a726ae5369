//! DISCONNECT with each reason code that a server may send (MQTT 5.0 §3.14.2.1).

use std::time::Instant;

use iot_client::{Error, MqttVersion};
use sandbox::Sandbox;

use crate::journal::Journal;
use crate::quick;
use crate::row::Row;
use crate::support::{connect, device};

/// Those that say that another connection would end the same way: who the client is, or what it asks for, is refused.
const STOP: [(u8, &str); 2] = [(0x87, "not authorized"), (0x9d, "server moved")];

/// Those of the moment.
const RECONNECT: [(u8, &str); 26] = [
    (0x00, "normal disconnection"),
    (0x80, "unspecified error"),
    (0x81, "malformed packet"),
    (0x82, "protocol error"),
    (0x83, "implementation specific error"),
    (0x89, "server busy"),
    (0x8b, "server shutting down"),
    (0x8d, "keep alive timeout"),
    (0x8e, "session taken over"),
    (0x8f, "topic filter invalid"),
    (0x90, "topic name invalid"),
    (0x93, "receive maximum exceeded"),
    (0x94, "topic alias invalid"),
    (0x95, "packet too large"),
    (0x96, "message rate too high"),
    (0x97, "quota exceeded"),
    (0x98, "administrative action"),
    (0x99, "payload format invalid"),
    (0x9a, "retain not supported"),
    (0x9b, "QoS not supported"),
    (0x9c, "use another server"),
    (0x9e, "shared subscriptions not supported"),
    (0x9f, "connection rate exceeded"),
    (0xa0, "maximum connect time"),
    (0xa1, "subscription identifiers not supported"),
    (0xa2, "wildcard subscriptions not supported"),
];

#[track_caller]
fn assert_says(error: &Error, code: u8, name: &str) {
    assert!(
        matches!(error, Error::Disconnected { code: Some(said), .. } if said.code() == code),
        "{error:?}"
    );
    let text = error.to_string();
    for words in [name, &format!("{code:#04x}"), "in the broker's words"] {
        assert!(text.contains(words), "no {words:?} in {text:?}");
    }
}

#[tokio::test]
async fn codes_of_the_moment_lead_to_another_connection() {
    let sandbox = Sandbox::start().unwrap();
    let options = quick(device(&sandbox, "test-1"), MqttVersion::V5);
    let mut row = Row::start("server DISCONNECT, each of 24 codes", &sandbox, options).await;
    for (code, name) in RECONNECT {
        let sent = Instant::now();
        assert!(sandbox.disconnect("test-1", code, Some("in the broker's words")));
        let error = row.disconnected().await;
        assert_says(&error, code, name);
        row.recovered(sent).await;
        // Only an acknowledgement shows that the connection is more than accepted.
        row.progress(20).await;
    }
    row.finish().await;
    assert_eq!(sandbox.connections().len(), 1 + RECONNECT.len());
}

#[tokio::test]
async fn codes_that_will_not_change_stop_the_client() {
    for (code, name) in STOP {
        let sandbox = Sandbox::start().unwrap();
        let (_client, events) = connect(quick(device(&sandbox, "test-1"), MqttVersion::V5)).await;
        let mut journal = Journal::of(events);
        assert!(sandbox.disconnect("test-1", code, Some("in the broker's words")));
        assert_says(&*journal.disconnected().await, code, name);
        let error = journal.stopped().await;
        assert_says(&error, code, name);
        if code == 0x87 {
            assert!(error.hint().unwrap().contains("iot:Publish"), "{error:?}");
        }
        assert_eq!(sandbox.connections().len(), 1, "{code:#04x}");
    }
}

/// MQTT 3.1.1 has no DISCONNECT of the server's: it closes the connection.
#[tokio::test]
async fn a_close_without_a_word_leads_to_another_connection() {
    let sandbox = Sandbox::start().unwrap();
    let options = quick(device(&sandbox, "test-1"), MqttVersion::V311);
    let mut row = Row::start("closed by the broker", &sandbox, options).await;
    for _ in 0..3 {
        let sent = Instant::now();
        assert!(sandbox.disconnect("test-1", 0x98, None));
        let error = row.disconnected().await;
        assert!(matches!(*error, Error::Disconnected { code: None, .. }), "{error:?}");
        row.recovered(sent).await;
        row.progress(20).await;
    }
    row.finish().await;
}
