//! What a message can carry, and what of it the client refuses to send.

use std::time::Duration;

use iot_client::{Client, Error, Message, MqttVersion, QoS, Quotas, Will};
use sandbox::relay::{Options, Relay};
use sandbox::{Principal, Sandbox};

use super::support::{allow_all, connect, device, device_on, eventually};
use super::{any_message, message, payloads};

fn with_everything() -> Message {
    let mut message = Message::new("test/topic", [0, 1, 0xff]);
    message.content_type = Some("application/octet-stream".to_owned());
    message.response_topic = Some("test/answer".to_owned());
    message.correlation_data = Some(vec![0, 0xfe]);
    message.expiry = Some(Duration::from_secs(600));
    message.user_properties =
        [("a", "1"), ("a", ""), ("é", "ü")].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    message
}

#[tokio::test]
async fn properties_travel_with_a_message() {
    let sandbox = Sandbox::start().unwrap();
    let (client, mut events) = connect(device(&sandbox, "test-1")).await;
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let sent = with_everything();
    client.publish(sent.clone()).await.unwrap();
    let mut received = message(&mut events).await;
    // The broker takes off what the message has waited (MQTT 5.0 §3.3.2.3.3).
    assert!(received.expiry.is_some_and(|left| left > Duration::from_secs(500)), "{received:?}");
    received.expiry = sent.expiry;
    assert_eq!(received, sent);
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_retained_message_waits_for_subscribers() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.set_policies(Principal::Device, &[allow_all()]).unwrap();
    let (client, mut events) = connect(device(&sandbox, "test-1")).await;
    let mut kept = Message::new("test/topic", "kept");
    kept.retain = true;
    client.publish(kept).await.unwrap();
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let received = message(&mut events).await;
    assert!(received.retain && received.payload == b"kept", "{received:?}");
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_will_speaks_for_a_client_that_is_gone_and_for_no_other() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let sandbox = Sandbox::start().unwrap();
        sandbox.set_policies(Principal::Device, &[allow_all()]).unwrap();
        let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
        let (witness, mut seen) = connect(device(&sandbox, "test-witness")).await;
        witness.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();

        let mut options = device_on(&sandbox, relay.port(), "test-1");
        options.mqtt_version = version;
        let mut will = Message::new("test/topic", "gone");
        if version == MqttVersion::V5 {
            will.content_type = Some("text/plain".to_owned());
        }
        options.will = Some(Will::new(will.clone()));
        let (polite, _) = connect(options.clone()).await;
        polite.disconnect().await.unwrap();
        let (_gone, _) = connect(options).await;
        // There is no way to come back, either.
        drop(relay);
        // The first that is heard is the will of the second.
        assert_eq!(message(&mut seen).await, will);
        witness.publish(Message::new("test/topic", "end")).await.unwrap();
        assert_eq!(payloads(&mut seen, 1).await, ["end"]);
        witness.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_topic_goes_by_number_where_the_broker_knows_it() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.set_policies(Principal::Device, &[allow_all()]).unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let (witness, mut seen) = connect(device(&sandbox, "test-witness")).await;
    witness.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    witness.subscribe("test/topic/+", QoS::AtLeastOnce).await.unwrap();
    let mut options = device_on(&sandbox, relay.port(), "test-1");
    options.topic_aliases = 3;
    let (client, _events) = connect(options).await;
    // More topics than numbers, and a new connection in between, whose broker knows none.
    let mut expected = Vec::new();
    for round in 0..4 {
        for topic in
            ["test/topic", "test/topic/a", "test/topic", "test/topic/b", "test/topic/c", "test/topic"]
        {
            client.publish(Message::new(topic, topic)).await.unwrap();
            expected.push(topic);
        }
        if round == 1 {
            relay.cut();
            eventually("a second connection", || relay.connections() == 2).await;
        }
    }
    for topic in expected {
        let received = any_message(&mut seen).await;
        assert_eq!((received.topic.as_str(), received.payload.as_slice()), (topic, topic.as_bytes()));
    }
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_the_broker_would_close_the_connection_for_is_not_sent() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.quotas = Quotas::aws();
    let (client, _events) = connect(options.clone()).await;
    let largest = vec![b'x'; 128 * 1024];
    client.publish(Message::new("test/topic", largest.clone())).await.unwrap();
    client.publish(Message::new("$aws/rules/rule/test/topic/c/d/e/f/g", "")).await.unwrap_or_else(|error| {
        // The policy may refuse it, but not its length.
        assert!(matches!(error, Error::OperationRefused { .. }), "{error:?}");
    });
    let mut wildcard_answer = Message::new("test/topic", "");
    wildcard_answer.response_topic = Some("test/#".to_owned());
    let mut nul = Message::new("test/topic", "");
    nul.user_properties = vec![("a".to_owned(), "b\0".to_owned())];
    let long = format!("test/{}", "x".repeat(252));
    for (message, word) in [
        (Message::new("test/topic", [largest, vec![0]].concat()), "131073 bytes"),
        (Message::new("test/a/b/c/d/e/f/g/h", ""), "8 slashes"),
        (Message::new(long, ""), "257 bytes"),
        (Message::new("", ""), "empty"),
        (Message::new("test/+", ""), "wildcard"),
        (wildcard_answer, "response topic"),
        (nul, "U+0000"),
    ] {
        let error = client.publish(message).await.unwrap_err();
        let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
        assert!(matches!(error, Error::OperationInvalid { .. }) && text.contains(word), "{text}");
    }
    for filter in ["$share/group/test/a/b/c/d/e/f/g/h", "$share/gr\0up/test/topic"] {
        let refused = client.subscribe(filter, QoS::AtLeastOnce).await.unwrap_err();
        assert!(matches!(refused, Error::OperationInvalid { .. }), "{refused:?}");
    }
    client.disconnect().await.unwrap();
    assert_eq!(sandbox.connections().len(), 1, "the connection has stood all along");

    options.quotas = Quotas::none();
    let (client, _events) = connect(options).await;
    let error = client.publish(Message::new("test/a/b/c/d/e/f/g/h", "")).await.unwrap_err();
    assert!(!matches!(error, Error::OperationInvalid { .. }), "switched off, the broker judges: {error:?}");
}

#[tokio::test]
async fn mqtt_3_1_1_refuses_what_it_cannot_carry() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.mqtt_version = MqttVersion::V311;
    let (client, _events) = connect(options.clone()).await;
    let error = client.publish(with_everything()).await.unwrap_err();
    assert!(matches!(error, Error::OperationInvalid { .. }), "{error:?}");
    client.publish(Message::new("test/topic", "plain")).await.unwrap();
    client.disconnect().await.unwrap();

    options.will = Some(Will::new(with_everything()));
    let error = Client::connect(options).await.unwrap_err();
    assert!(error.to_string().contains("MQTT 3.1.1 carries no content type"), "{error}");
}
