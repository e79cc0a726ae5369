//! Messages that outlive the client.

use std::path::Path;
use std::time::{Duration, Instant};

use iot_client::{Client, ClientOptions, Error, Event, Message, MqttVersion, QoS};
use iot_transport::Error as TransportError;
use sandbox::Sandbox;
use sandbox::relay::{Fault, Options, Reach, Relay};

use super::support::{connect, device, device_on};
use super::{message, payloads, pick};

fn persistent(mut options: ClientOptions, directory: &Path) -> ClientOptions {
    options.persistence = Some(directory.to_owned());
    options.shutdown_timeout = Duration::from_millis(300);
    options
}

fn numbered(number: usize) -> Message {
    Message::new("test/topic", number.to_string())
}

#[tokio::test]
async fn what_was_taken_over_is_sent_by_the_next_client() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let mut sandbox = Sandbox::start().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut options = persistent(device(&sandbox, "test-1"), directory.path());
        options.mqtt_version = version;
        sandbox.stop();
        let (client, _events) = Client::start(options.clone()).await.unwrap();
        for number in 0..10 {
            client.enqueue(numbered(number)).await.unwrap();
        }
        // They are safe, so that ending without them is no failure.
        client.disconnect().await.unwrap();

        sandbox.restart().unwrap();
        let (witness, mut seen) = connect(device(&sandbox, "test-witness")).await;
        witness.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
        let (client, _events) = connect(options.clone()).await;
        client.publish(numbered(10)).await.unwrap();
        client.disconnect().await.unwrap();
        let expected: Vec<_> = (0..=10).map(|number| number.to_string()).collect();
        assert_eq!(payloads(&mut seen, 11).await, expected, "the old ones first, in order");

        // All were acknowledged, and none is sent again.
        let (client, _events) = connect(options).await;
        client.publish(numbered(11)).await.unwrap();
        assert_eq!(message(&mut seen).await.payload, b"11");
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_in_flight_is_sent_again() {
    let sandbox = Sandbox::start().unwrap();
    let relay =
        Relay::start(sandbox.mqtt_port(), Options { one_way_delay: Duration::from_millis(500) }).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (client, _events) =
        connect(persistent(device_on(&sandbox, relay.port(), "test-1"), directory.path())).await;
    let delivery = client.enqueue(numbered(1)).await.unwrap();
    // Its acknowledgement takes a second, and nobody waits so long.
    client.disconnect().await.unwrap();
    assert!(matches!(delivery.await, Err(Error::Stopped { .. })));

    let (client, mut events) = connect(persistent(device(&sandbox, "test-1"), directory.path())).await;
    // Only one message waits for this one.
    while client.status().published == 0 {
        pick(&mut events, |event| matches!(event, Event::Connected { .. }).then_some(())).await;
        client.publish(numbered(2)).await.unwrap();
    }
    assert_eq!(client.status().published, 2);
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_store_has_one_owner() {
    let sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let options = persistent(device(&sandbox, "test-1"), directory.path());
    let (client, _events) = connect(options.clone()).await;
    let error = Client::connect(options.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
    assert!(error.hint().is_some());
    client.disconnect().await.unwrap();
    // A client that has ended has let go of it.
    let (client, _events) = connect(options).await;
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_the_broker_refuses_does_not_come_again() {
    let sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let options = persistent(device(&sandbox, "test-1"), directory.path());
    let (client, _events) = connect(options.clone()).await;
    let delivery = client.enqueue(Message::new("secret/topic", "")).await.unwrap();
    assert!(matches!(delivery.await, Err(Error::OperationRefused { .. })));
    client.disconnect().await.unwrap();
    let (client, _events) = connect(options).await;
    assert_eq!(client.status().queued, 0);
    client.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_not_connect_may_try_again_at_once() {
    let mut sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut options = persistent(device(&sandbox, "test-1"), directory.path());
    options.connect_interval = Duration::ZERO;
    sandbox.stop();
    let (client, _events) = Client::start(options.clone()).await.unwrap();
    client.enqueue(numbered(1)).await.unwrap();
    client.disconnect().await.unwrap();
    for round in 0..50 {
        let error = Client::connect(options.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Transport(TransportError::Tcp { .. })), "{round}: {error:?}");
    }
}

#[tokio::test]
async fn who_stops_waiting_for_a_connection_leaves_the_store_to_the_next() {
    let mut sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let options = persistent(device(&sandbox, "test-1"), directory.path());
    sandbox.stop();
    let (client, _events) = Client::start(options.clone()).await.unwrap();
    client.enqueue(numbered(1)).await.unwrap();
    client.disconnect().await.unwrap();

    sandbox.restart().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    relay.inject(Reach::All, Fault::BlackHole);
    let mut patient = persistent(device_on(&sandbox, relay.port(), "test-1"), directory.path());
    patient.shutdown_timeout = Duration::from_secs(600);
    let waited = tokio::time::timeout(Duration::from_millis(500), Client::connect(patient)).await;
    assert!(waited.is_err(), "{waited:?}");
    // It cannot be told when the store is free: nobody is left to ask.
    let deadline = Instant::now() + Duration::from_secs(5);
    let client = loop {
        match Client::connect(options.clone()).await {
            Ok((client, _)) => break client,
            Err(Error::Store { .. }) => assert!(Instant::now() < deadline, "the store is still in use"),
            Err(error) => panic!("{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    client.disconnect().await.unwrap();
}

#[test]
fn a_runtime_that_ends_leaves_the_messages_to_the_next() {
    let mut sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let options = persistent(device(&sandbox, "test-1"), directory.path());
    sandbox.stop();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let client = first.block_on(async {
        let (client, _) = Client::start(options.clone()).await.unwrap();
        for number in 0..100 {
            client.enqueue(numbered(number)).await.unwrap();
        }
        client
    });
    drop(first);
    runtime().block_on(async {
        let late = client.enqueue(numbered(100)).await;
        assert!(matches!(late, Err(Error::Stopped { .. })), "{late:?}");
        let (client, _events) = Client::start(options).await.unwrap();
        assert_eq!(client.status().queued, 100, "told before there is a connection");
        client.disconnect().await.unwrap();
    });
}
