//! The client against a sandbox: reconnection, refusals, back-pressure.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{CredentialSource, SigV4, StaticCredentials};
use iot_client::{Auth, Client, ClientOptions, Error, Event, Events, Message, MqttVersion, QoS};
use iot_transport::Layer;
use iot_transport::timeline::{Outcome, StepState};
use sandbox::relay::{Options, Relay};
use sandbox::{Principal, Sandbox};
use support::{allow_all, connect, device, device_on, eventually, options};
use tokio::task::JoinSet;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

/// Publishes `numbers` one after the other and requires that each is acknowledged.
async fn publish_all(client: &Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let message = Message::new("test/topic", number.to_string());
        client.publish(message).await.unwrap_or_else(|error| panic!("{number}: {error}"));
    }
}

/// Takes messages until all of `expected` have been seen.
async fn receive_all(events: &mut Events, expected: std::ops::Range<usize>) {
    let mut missing: BTreeSet<usize> = expected.collect();
    let all = async {
        while !missing.is_empty() {
            let message = events.message("test/topic", LIMIT).await.unwrap();
            missing.remove(&number(&message));
        }
    };
    if timeout(LIMIT, all).await.is_err() {
        panic!("{} never arrived: {missing:?}", missing.len());
    }
}

fn number(message: &Message) -> usize {
    std::str::from_utf8(&message.payload).unwrap().parse().unwrap()
}

/// Options for SigV4 over WebSocket, on `port`.
fn sigv4_on(sandbox: &Sandbox, port: u16, client_id: &str) -> ClientOptions {
    let credentials = sandbox.credentials();
    let credentials = StaticCredentials::new(
        credentials.access_key_id.clone(),
        credentials.secret_access_key.clone(),
        Some(credentials.session_token.clone().into()),
    );
    let region = sandbox.region().to_owned();
    let auth = Auth::from(SigV4::new(CredentialSource::Static(credentials), region));
    options(sandbox, port, auth, client_id)
}

async fn next_matching(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Event {
    let found = async {
        loop {
            let event = events.next().await.expect("the client goes on");
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(LIMIT, found).await.expect("the event comes")
}

#[tokio::test]
async fn a_restarted_broker_loses_no_message_and_sees_a_new_signature() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let mut sandbox = Sandbox::start().unwrap();
        sandbox.set_policies(Principal::Iam, &[allow_all()]).unwrap();
        let mut options = sigv4_on(&sandbox, sandbox.https_port(), "test-1");
        options.mqtt_version = version;
        let (client, mut events) = connect(options).await;
        client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();

        publish_all(&client, 0..50).await;
        receive_all(&mut events, 0..50).await;

        sandbox.stop();
        let during = tokio::spawn({
            let client = client.clone();
            async move { publish_all(&client, 50..100).await }
        });
        // A second passes: X-Amz-Date counts in seconds.
        let failures = async {
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_millis(1100) {
                next_matching(&mut events, |event| matches!(event, Event::ConnectionFailed { .. })).await;
            }
        };
        failures.await;
        sandbox.restart().unwrap();
        during.await.unwrap();
        publish_all(&client, 100..150).await;
        receive_all(&mut events, 50..150).await;

        let dates: BTreeSet<_> =
            sandbox.connections().into_iter().map(|connection| connection.amz_date.unwrap()).collect();
        assert!(dates.len() >= 2, "signed anew: {dates:?}");
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_connection_resumes_its_session_and_loses_no_message() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.set_policies(Principal::Device, &[allow_all()]).unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let (client, mut events) = connect(device_on(&sandbox, relay.port(), "test-1")).await;
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut publishers = JoinSet::new();
    for part in 0..5 {
        let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
        publishers.spawn(async move {
            for number in part * 100..(part + 1) * 100 {
                publish_all(&client, number..number + 1).await;
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut missing: BTreeSet<usize> = (0..500).collect();
    let mut first_deliveries = Vec::new();
    let mut arrived = |message: &Message, missing: &mut BTreeSet<usize>| {
        if missing.remove(&number(message)) {
            first_deliveries.push(number(message));
        }
    };
    for cut in 1..=3 {
        // In mid-stream each time: the next cut waits for progress.
        while acknowledged.load(Ordering::Relaxed) < cut * 100 {
            arrived(&events.message("test/topic", LIMIT).await.unwrap(), &mut missing);
        }
        relay.cut();
    }
    while !missing.is_empty() {
        arrived(&events.message("test/topic", LIMIT).await.unwrap(), &mut missing);
    }
    for part in 0..5 {
        let of_part = first_deliveries.iter().filter(|number| **number / 100 == part);
        assert!(of_part.is_sorted(), "each publisher's messages in its order: {first_deliveries:?}");
    }
    publishers.join_all().await;
    assert!(relay.connections() >= 3);
    client.disconnect().await.unwrap();
}

/// A write of paho's that failed would corrupt the heap (`crates/iot-client/src/link/mod.rs`), here within a few cuts.
#[tokio::test]
async fn cuts_under_load_harm_nothing() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let sandbox = Sandbox::start().unwrap();
        let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
        let mut options = device_on(&sandbox, relay.port(), "test-1");
        options.mqtt_version = version;
        let (client, events) = connect(options).await;
        drop(events);
        let mut publishes = JoinSet::new();
        for number in 1..=20_000 {
            if publishes.len() >= 50 {
                publishes.join_next().await.unwrap().unwrap();
            }
            let client = client.clone();
            publishes.spawn(async move { publish_all(&client, number..number + 1).await });
            if number % 1000 == 0 {
                relay.cut();
            }
        }
        publishes.join_all().await;
        assert!(relay.connections() > 5, "{} connections", relay.connections());
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn many_publishes_at_once_are_all_acknowledged() {
    let sandbox = Sandbox::start().unwrap();
    let (client, events) = connect(device(&sandbox, "test-1")).await;
    drop(events);
    let mut publishes = JoinSet::new();
    for number in 0..2000 {
        let client = client.clone();
        publishes.spawn(async move { client.publish(Message::new("test/topic", number.to_string())).await });
    }
    for outcome in publishes.join_all().await {
        outcome.unwrap();
    }
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn the_reason_string_of_a_disconnect_reaches_the_application() {
    let sandbox = Sandbox::start().unwrap();
    let (_client, mut events) = connect(device(&sandbox, "test-1")).await;
    assert!(sandbox.disconnect("test-1", 0x98, Some("maintenance at noon")));
    let disconnected = next_matching(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    let Event::Disconnected { error } = disconnected else { unreachable!() };
    let text = error.to_string();
    assert!(text.contains("administrative action") && text.contains("maintenance at noon"), "{text}");
    next_matching(&mut events, |event| matches!(event, Event::Connected { .. })).await;
}

#[tokio::test]
async fn what_will_never_heal_stops_the_client_with_the_reason() {
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let (client, mut events) = connect(device_on(&sandbox, relay.port(), "test-1")).await;
    sandbox.set_policies(Principal::Device, &[]).unwrap();
    relay.cut();
    let stopped = next_matching(&mut events, |event| matches!(event, Event::Stopped { .. })).await;
    let Event::Stopped { error: Some(error) } = stopped else { panic!("{stopped:?}") };
    assert!(error.hint().unwrap().contains("iot:Connect"), "{error}");
    assert!(events.next().await.is_none());
    // Later calls tell the reason too.
    match client.publish(Message::new("test/topic", "x")).await {
        Err(Error::Stopped { source: Some(reason) }) => assert_eq!(reason.to_string(), error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_attempt_has_a_timeline_which_says_how_it_and_its_connection_ended() {
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let options = device_on(&sandbox, relay.port(), "test-1");
    let timelines = options.timelines();
    let (_client, mut events) = connect(options).await;
    sandbox.set_policies(Principal::Device, &[]).unwrap();
    relay.cut();
    next_matching(&mut events, |event| matches!(event, Event::Stopped { .. })).await;
    let attempts = timelines.attempts().kept;
    let [first, .., last] = &attempts[..] else { panic!("{attempts:#?}") };
    let Outcome::Connected { ended: Some((_, error)), .. } = &first.outcome else { panic!("{first:#?}") };
    assert!(error.contains("ended"), "{error}");
    assert!(matches!(last.outcome, Outcome::Failed { .. }), "{last:#?}");
    let connack = last.steps.last().unwrap();
    assert_eq!(connack.layer, Layer::Mqtt);
    assert!(matches!(connack.state, StepState::Failed { .. }), "{last:#?}");
}

#[tokio::test]
async fn a_denied_publish_on_mqtt_3_1_1_is_named_and_ends_the_loop() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.mqtt_version = MqttVersion::V311;
    let (client, mut events) = connect(options).await;
    let error = client.publish(Message::new("secret/topic", "x")).await.unwrap_err();
    assert!(matches!(error, Error::OperationClosesConnection { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("iot:Publish on topic/secret/topic"));
    // It is not tried again.
    next_matching(&mut events, |event| matches!(event, Event::Connected { .. })).await;
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    publish_all(&client, 0..3).await;
    receive_all(&mut events, 0..3).await;
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn refused_acknowledgements_are_errors() {
    let sandbox = Sandbox::start().unwrap();
    let (client, _events) = connect(device(&sandbox, "test-1")).await;
    let publish = client.publish(Message::new("secret/topic", "x")).await.unwrap_err();
    assert!(matches!(&publish, Error::OperationRefused { code, .. } if code.code() == 0x87), "{publish:?}");
    let subscribe = client.subscribe("secret/#", QoS::AtLeastOnce).await.unwrap_err();
    assert!(
        matches!(&subscribe, Error::OperationRefused { code, .. } if code.code() == 0x87),
        "{subscribe:?}"
    );
    let invalid = client.publish(Message::new("nul\0topic", "x")).await.unwrap_err();
    assert!(matches!(invalid, Error::OperationInvalid { .. }), "{invalid:?}");
    let wildcard = client.publish(Message::new("test/#", "x")).await.unwrap_err();
    assert!(matches!(wildcard, Error::OperationInvalid { .. }), "{wildcard:?}");
    let shared = client.publish(Message::new("$share/g/test", "x")).await.unwrap_err();
    assert!(matches!(shared, Error::OperationInvalid { .. }), "{shared:?}");
    for filter in ["$aws/rules/rule/x", "$share/g/$aws/rules/rule/x"] {
        let ingest = client.subscribe(filter, QoS::AtLeastOnce).await.unwrap_err();
        assert!(matches!(ingest, Error::OperationInvalid { .. }), "{ingest:?}");
    }
    client.publish(Message::new("test/topic", "x")).await.unwrap();
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_slow_consumer_of_10_000_messages_loses_none() {
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let mut options = device_on(&sandbox, relay.port(), "test-consumer");
    // Shorter than the consumer's pauses: pings must be answered although nothing is read from the broker. Long enough for
    // a busy machine: the broker drops a client that is silent for half as long again.
    options.keep_alive = Duration::from_secs(4);
    // On MQTT 5 the broker's Server Keep Alive would take its place.
    options.mqtt_version = MqttVersion::V311;
    let (consumer, mut events) = connect(options).await;
    consumer.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let (producer, _) = connect(device(&sandbox, "test-producer")).await;
    let publishing = tokio::spawn(async move { publish_all(&producer, 0..10_000).await });
    for part in 0..10 {
        if part < 2 {
            let mut pause = tokio::time::interval(Duration::from_secs(8));
            pause.tick().await;
            pause.tick().await;
        }
        receive_all(&mut events, part * 1000..(part + 1) * 1000).await;
    }
    publishing.await.unwrap();
    assert_eq!(relay.connections(), 1, "the pauses cost no connection");
    consumer.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_dropped_client_disconnects() {
    let sandbox = Sandbox::start().unwrap();
    drop(connect(device(&sandbox, "test-1")).await);
    eventually("a DISCONNECT", || sandbox.connections()[0].clean_disconnect).await;
}
