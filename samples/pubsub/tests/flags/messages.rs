//! Each flag of a message has its effect at another client, which is not ours.

use crate::support::{allow_all, pubsub, quick};
use sandbox::Sandbox;
use serde_json::{Value, json};
use testkit::Observer;

#[test]
fn properties_reach_the_subscriber() {
    let sandbox = Sandbox::start().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    let properties = [
        ["--user-property", "unit=°C"],
        ["--user_property", "a=b=c"],
        ["--content-type", "text/plain"],
        ["--response-topic", "test/answers"],
        ["--correlation-data", "4711"],
        ["--message-expiry", "90"],
    ];
    let outcome = quick(&sandbox)
        .args(["--count", "1", "--message", "21", "--json"])
        .args(properties.iter().flatten())
        .run()
        .succeeded();
    let seen = observer.next();
    let expected = json!({
        "event": "message", "topic": "test/topic", "payload": "21 [1]", "qos": 1, "retain": false,
        "content_type": "text/plain", "response_topic": "test/answers", "correlation_data": "4711",
        "message_expiry": seen["message_expiry"], "user_properties": [["unit", "°C"], ["a", "b=c"]],
    });
    assert_eq!(seen, expected);
    // The broker counts down.
    let expiry = seen["message_expiry"].as_u64().unwrap();
    assert!((60..=90).contains(&expiry), "{expiry}");

    // The sample shows what it received with all of that, too.
    let received = outcome.stdout.lines().find(|line| line.contains("received")).unwrap();
    let received: Value = serde_json::from_str(received).unwrap();
    for name in ["content_type", "response_topic", "correlation_data", "user_properties"] {
        assert_eq!(received[name], expected[name], "{name}");
    }
}

#[test]
fn qos_0_is_sent_as_such_and_comes_back() {
    let sandbox = Sandbox::start().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    for version in ["5", "3.1.1"] {
        let flags = ["--qos", "0", "--count", "2", "--mqtt-version", version];
        let outcome = quick(&sandbox).args(flags).run().succeeded();
        assert_eq!(outcome.stdout.matches("Received on").count(), 2);
        for number in ["[1]", "[2]"] {
            let seen = observer.next();
            assert_eq!(seen["qos"], 0);
            assert!(seen["payload"].as_str().unwrap().ends_with(number), "{seen}");
        }
    }
}

#[test]
fn a_retained_message_waits_for_later_subscribers() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    for version in ["5", "3.1.1"] {
        let topic = format!("kept/{version}");
        let flags = ["--retain", "--count", "2", "--topic", &topic, "--mqtt-version", version];
        let outcome = quick(&sandbox).args(flags).run().succeeded();
        assert_eq!(outcome.stdout.matches("Received on").count(), 2);
        let seen = Observer::subscribe(&sandbox, "test-observer", &topic).next();
        assert_eq!((&seen["retain"], &seen["payload"]), (&json!(true), &json!("Hello from Rust [2]")));

        // What the broker has kept is not taken for the sample's own, which is the same here.
        let again = quick(&sandbox).args(["--count", "2", "--topic", &topic]).run().succeeded();
        assert_eq!(again.stdout.matches("Received on").count(), 3, "{}", again.stdout);
    }
}

#[test]
fn to_keep_a_message_is_a_permission_of_its_own() {
    let sandbox = Sandbox::start().unwrap();
    quick(&sandbox).args(["--retain"]).run().failed(1, &["not authorized", "publish to test/topic"]);
}

#[test]
fn flags_that_cannot_be_meant_are_refused() {
    let sandbox = Sandbox::start().unwrap();
    let long = "x".repeat(65_536);
    for (flags, words) in [
        (&["--qos", "2"][..], &["--qos", "AWS IoT Core has QoS 0 and 1 only"][..]),
        (&["--qos", "one"], &["--qos", "expected 0 or 1"]),
        (&["--user-property", "unit"], &["--user-property", "NAME=VALUE"]),
        (&["--user-property", "=x"], &["--user-property", "NAME=VALUE"]),
        (&["--content-type", &long], &["--content-type", "65535"]),
        (&["--message-expiry", "0"], &["--message-expiry"]),
        (&["--response-topic", "a/+"], &["--response-topic", "wildcard"]),
        (&["--topic", "a/#"], &["--topic", "wildcard"]),
        (&["--topic", ""], &["--topic", "empty"]),
        (&["--interval=-1"], &["--interval", "seconds"]),
        (&["--shared-group", "a/b"], &["--shared-group", "/"]),
        (&["--mqtt-version", "3.1.1", "--user-property", "a=b"], &["--user-property needs MQTT 5"]),
        (&["--mqtt-version", "3.1.1", "--content-type", "a"], &["--content-type needs MQTT 5"]),
        (&["--mqtt-version", "3.1.1", "--response-topic", "a"], &["--response-topic needs MQTT 5"]),
        (&["--mqtt-version", "3.1.1", "--correlation-data", "a"], &["--correlation-data needs MQTT 5"]),
        (&["--mqtt-version", "3.1.1", "--message-expiry", "1"], &["--message-expiry needs MQTT 5"]),
        (&["--mqtt-version", "3.1.1", "--session-expiry", "1"], &["--session-expiry needs MQTT 5"]),
        (&["--mqtt-version", "3.1.1", "--topic-aliases", "1"], &["--topic-aliases needs MQTT 5"]),
        (
            &["--mqtt-version", "3.1.1", "--will-topic", "a", "--will-message", "b", "--will-delay", "1"],
            &["--will-delay needs MQTT 5"],
        ),
        (&["--will-topic", "a"], &["--will-message"]),
        (&["--will-message", "a"], &["--will-topic"]),
        (&["--will-qos", "1"], &["--will-topic"]),
        (&["--will-retain"], &["--will-topic"]),
        (&["--will-delay", "1"], &["--will-topic"]),
        (&["--will-topic", "a", "--will-message", "b", "--will-qos", "2"], &["--will-qos", "AWS IoT Core"]),
        (&["--session", "resume"], &["--client-id"]),
        (&["--persist", "folder"], &["--client-id"]),
        (&["--session", "clean", "--session-expiry", "60"], &["--session-expiry", "--session clean"]),
        (&["--session", "both"], &["--session", "resume-after-first"]),
        (&["--queue-messages", "0"], &["--queue-messages"]),
        (&["--queue-bytes", "many"], &["--queue-bytes"]),
        (&["--when-full", "wait"], &["--when-full", "drop-oldest"]),
        (&["--shutdown-timeout", "0"], &["--shutdown-timeout"]),
        (&["--operation-timeout=-5"], &["--operation-timeout"]),
    ] {
        pubsub(&sandbox).args(flags).run().failed(2, words);
    }
    assert!(sandbox.connections().is_empty(), "nothing was connected to");
}
