//! Which session a connection has, and what waits in it.

use iot_client::{Client, Error, Event, Message, MqttVersion, QoS, SessionPolicy};
use sandbox::relay::{Options, Relay};
use sandbox::{Principal, Sandbox};

use super::support::{connect, device, device_on};
use super::{payloads, pick};

/// Publishes on behalf of somebody else.
async fn say(sandbox: &Sandbox, text: &str) {
    let (other, _) = connect(device(sandbox, "test-other")).await;
    other.publish(Message::new("test/topic", text)).await.unwrap();
    other.disconnect().await.unwrap();
}

/// Connects and tells whether the broker had a session.
async fn session_present(options: iot_client::ClientOptions) -> (Client, iot_client::Events, bool) {
    let (client, mut events) = connect(options).await;
    let present = pick(&mut events, |event| match event {
        Event::Connected { session_present, .. } => Some(session_present),
        _ => None,
    });
    let present = present.await;
    (client, events, present)
}

#[tokio::test]
async fn a_session_to_resume_outlives_the_client() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let sandbox = Sandbox::start().unwrap();
        let mut options = device(&sandbox, "test-1");
        options.mqtt_version = version;
        options.session = SessionPolicy::Resume;
        let (client, _events, present) = session_present(options.clone()).await;
        assert!(!present);
        client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
        client.disconnect().await.unwrap();

        say(&sandbox, "while away").await;
        let (client, mut events, present) = session_present(options.clone()).await;
        assert!(present, "{version}");
        assert_eq!(payloads(&mut events, 1).await, ["while away"], "without a new subscription");
        client.disconnect().await.unwrap();

        options.session = SessionPolicy::Clean;
        let (client, _events, present) = session_present(options.clone()).await;
        assert!(!present, "a clean session forgets: {version}");
        client.disconnect().await.unwrap();
        options.session = SessionPolicy::Resume;
        assert!(!session_present(options).await.2, "for good: {version}");
    }
}

#[tokio::test]
async fn the_default_resumes_what_this_client_began_and_leaves_nothing() {
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let (client, mut events, present) = session_present(device_on(&sandbox, relay.port(), "test-1")).await;
    assert!(!present);
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    relay.cut();
    let again = pick(&mut events, |event| match event {
        Event::Connected { session_present, .. } => Some(session_present),
        _ => None,
    });
    assert!(again.await);
    client.disconnect().await.unwrap();

    let mut options = device(&sandbox, "test-1");
    options.session = SessionPolicy::Resume;
    assert!(!session_present(options).await.2, "the DISCONNECT has ended it");
}

#[tokio::test]
async fn a_clean_session_is_clean_each_time_and_renews_its_subscriptions() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let sandbox = Sandbox::start().unwrap();
        let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
        let mut options = device_on(&sandbox, relay.port(), "test-1");
        options.mqtt_version = version;
        options.session = SessionPolicy::Clean;
        let (client, mut events, _) = session_present(options).await;
        client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
        relay.cut();
        let again = pick(&mut events, |event| match event {
            Event::Connected { session_present, .. } => Some(session_present),
            _ => None,
        });
        assert!(!again.await, "{version}");
        client.publish(Message::new("test/topic", "still here")).await.unwrap();
        assert_eq!(payloads(&mut events, 1).await, ["still here"]);
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_subscription_that_is_not_granted_again_ends_the_client() {
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let mut options = device_on(&sandbox, relay.port(), "test-1");
    // The broker closes the connection for it.
    options.mqtt_version = MqttVersion::V311;
    let (client, mut events) = connect(options).await;
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let connect_only = r#"{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}"#;
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{connect_only}]}}"#);
    sandbox.set_policies(Principal::Device, &[policy]).unwrap();
    relay.cut();
    let error = pick(&mut events, |event| match event {
        Event::Stopped { error } => Some(error),
        _ => None,
    });
    let error = error.await.expect("a reason");
    assert!(matches!(*error, Error::OperationClosesConnection { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("iot:Subscribe on topicfilter/test/topic"), "{:?}", error.hint());
}
