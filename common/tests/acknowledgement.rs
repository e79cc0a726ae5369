//! A message of QoS 1 is acknowledged when the application comes back for the next event, and not before.

mod support;

use std::time::Duration;

use iot_client::{Client, ClientOptions, Event, Events, Message, MqttVersion, QoS, SessionPolicy};
use sandbox::relay::{Fault, Options, Reach, Relay};
use sandbox::{Principal, Sandbox};
use support::{connect, device, device_on, eventually};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);
const VERSIONS: [MqttVersion; 2] = [MqttVersion::V5, MqttVersion::V311];

/// A sandbox whose policies are not what a test is about.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::start().unwrap();
    let all = r#"{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}"#;
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{all}]}}"#);
    sandbox.set_policies(Principal::Device, &[policy]).unwrap();
    sandbox
}

async fn publish_all(client: &Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        client.publish(Message::new("test/topic", number.to_string())).await.unwrap();
    }
}

/// The number in the next message.
async fn take(events: &mut Events) -> usize {
    let message = events.message("test/topic", LIMIT).await.unwrap();
    String::from_utf8(message.payload).unwrap().parse().unwrap()
}

async fn reconnected(events: &mut Events) {
    let connected = async {
        loop {
            match events.next().await.expect("the client goes on") {
                Event::Connected { session_present, .. } => return assert!(session_present),
                Event::Message(message) => panic!("before the connection: {message:?}"),
                _ => {}
            }
        }
    };
    timeout(LIMIT, connected).await.expect("it reconnects");
}

#[tokio::test]
async fn a_message_in_hand_when_the_connection_ends_comes_again() {
    let sandbox = sandbox();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let (subscriber, mut events) = connect(device_on(&sandbox, relay.port(), "test-subscriber")).await;
    subscriber.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let (publisher, _) = connect(device(&sandbox, "test-publisher")).await;

    publish_all(&publisher, 0..2).await;
    assert_eq!(take(&mut events).await, 0);
    // Coming back for it acknowledges the one before. A round trip behind that PUBACK, so that the broker has it.
    assert_eq!(take(&mut events).await, 1);
    subscriber.publish(Message::new("test/elsewhere", "x")).await.unwrap();
    relay.cut();
    eventually("a new connection", || relay.connections() == 2).await;
    reconnected(&mut events).await;
    assert_eq!(take(&mut events).await, 1, "it was not acknowledged");
    publish_all(&publisher, 2..3).await;
    assert_eq!(take(&mut events).await, 2, "and the other was");
    subscriber.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_does_not_come_again() {
    let sandbox = sandbox();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let (subscriber, mut events) = connect(device_on(&sandbox, relay.port(), "test-subscriber")).await;
    subscriber.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let (publisher, _) = connect(device(&sandbox, "test-publisher")).await;
    publish_all(&publisher, 0..20).await;
    for number in 0..20 {
        assert_eq!(take(&mut events).await, number);
    }
    // Nothing more is there, but the application has come back.
    events.message("test/topic", Duration::ZERO).await.unwrap_err();
    subscriber.publish(Message::new("test/elsewhere", "x")).await.unwrap();
    relay.cut();
    reconnected(&mut events).await;
    publish_all(&publisher, 20..21).await;
    assert_eq!(take(&mut events).await, 20);
    subscriber.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_takes_no_message_with_it() {
    let sandbox = sandbox();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let mut options = device_on(&sandbox, relay.port(), "test-subscriber");
    options.session = SessionPolicy::Resume;
    let (subscriber, _) = connect(options.clone()).await;
    subscriber.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    subscriber.disconnect().await.unwrap();

    let (publisher, _) = connect(device(&sandbox, "test-publisher")).await;
    let mut published = 0;
    for round in 0..8 {
        let mut connecting = Box::pin(Client::connect(options.clone()));
        assert!(timeout(Duration::ZERO, &mut connecting).await.is_err());
        eventually("a connection", || relay.connections() as u64 == round + 2).await;
        // It gets as far as it can, and the caller does not look. Messages come before it is given up, and after.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let publishing = publish_all(&publisher, published..published + 10);
        let giving_up = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            drop(connecting);
        };
        tokio::join!(publishing, giving_up);
        published += 10;
    }

    let (subscriber, mut events) = connect(options).await;
    for number in 0..published {
        assert_eq!(take(&mut events).await, number);
    }
    subscriber.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_client_that_gives_up_does_not_say_that_the_application_is_done() {
    let mut sandbox = sandbox();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let mut options = device_on(&sandbox, relay.port(), "test-subscriber");
    options.session = SessionPolicy::Resume;
    let (subscriber, mut events) = connect(options.clone()).await;
    subscriber.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    subscriber.subscribe("test/refused", QoS::AtLeastOnce).await.unwrap();

    // The broker comes back without the session, and refuses one of the subscriptions after it has sent a message.
    relay.inject(Reach::All, Fault::Reset);
    sandbox.restart().unwrap();
    let (publisher, _) = connect(device(&sandbox, "test-publisher")).await;
    let mut kept = Message::new("test/topic", "1");
    kept.retain = true;
    publisher.publish(kept).await.unwrap();
    let but = r#"{"Effect": "Deny", "Action": "iot:Subscribe", "Resource": "*:topicfilter/test/refused"}"#;
    let all = r#"{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}"#;
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{all}, {but}]}}"#);
    sandbox.set_policies(Principal::Device, &[policy]).unwrap();
    relay.heal();
    assert_eq!(take(&mut events).await, 1);
    eventually("the end", || !subscriber.status().connected).await;

    let (_subscriber, mut events) = connect(options).await;
    assert_eq!(take(&mut events).await, 1);
}

#[tokio::test]
async fn an_application_that_takes_no_events_still_publishes_and_then_gets_them_all_in_order() {
    for version in VERSIONS {
        let sandbox = sandbox();
        let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
        let mut options: ClientOptions = device_on(&sandbox, relay.port(), "test-subscriber");
        options.mqtt_version = version;
        // The pause is longer than this, and than what paho and the broker wait for.
        options.keep_alive = Duration::from_secs(1);
        let (subscriber, mut events) = connect(options).await;
        subscriber.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
        let (publisher, _) = connect(device(&sandbox, "test-publisher")).await;
        publish_all(&publisher, 0..500).await;

        let began = std::time::Instant::now();
        let mut published = 0;
        while began.elapsed() < Duration::from_secs(3) {
            let acknowledged = subscriber.publish(Message::new("test/elsewhere", "x"));
            timeout(Duration::from_secs(10), acknowledged).await.expect("a PUBACK").unwrap();
            published += 1;
            // Quiet for longer than the keep-alive, for once.
            if published == 100 {
                tokio::time::sleep(Duration::from_millis(1900)).await;
            }
        }
        assert!(published > 100, "{published}");
        for number in 0..500 {
            assert_eq!(take(&mut events).await, number);
        }
        assert_eq!(relay.connections(), 1, "the pause cost no connection");
        subscriber.disconnect().await.unwrap();
    }
}
