//! When the client connects again, how fast, and when it gives up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{CredentialSource, SigV4, StaticCredentials};
use iot_client::{Auth, Client, Error, Event, Events, MqttVersion};
use iot_transport::Layer;
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

use super::support::{connect, device, device_on, options};
use super::{LIMIT, pick};

/// The error that the client ends with.
async fn end(events: &mut Events) -> Arc<Error> {
    let error = pick(events, |event| match event {
        Event::Stopped { error } => Some(error),
        _ => None,
    });
    error.await.expect("nobody has asked it to end")
}

#[tokio::test]
async fn who_is_pushed_out_again_and_again_stops() {
    let sandbox = Sandbox::start().unwrap();
    let (client, mut events) = connect(device(&sandbox, "test-1")).await;
    let mut takeovers = 0;
    let error = loop {
        // As soon as it is back, somebody else comes with its client ID.
        pick(&mut events, |event| matches!(event, Event::Connected { .. }).then_some(())).await;
        drop(connect(device(&sandbox, "test-1")).await);
        takeovers += 1;
        let lost = pick(&mut events, |event| match event {
            Event::Disconnected { error } => Some(error),
            _ => None,
        });
        assert!(lost.await.to_string().contains("0x8e"));
        if takeovers == 3 {
            break end(&mut events).await;
        }
    };
    assert!(matches!(*error, Error::TakenOver { times: 3, .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("client ID"));
    let later = client.publish(iot_client::Message::new("test/topic", "")).await.unwrap_err();
    assert!(matches!(later, Error::Stopped { source: Some(_) }), "{later:?}");
}

#[tokio::test]
async fn attempts_keep_their_distance() {
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let mut options = device_on(&sandbox, relay.port(), "test-1");
    options.connect_interval = Duration::from_millis(500);
    options.reconnect_minimum = Duration::from_millis(1);
    options.reconnect_maximum = Duration::from_millis(1);
    let (client, mut events) = connect(options).await;
    let mut last = Instant::now();
    for round in 0..4 {
        relay.cut();
        pick(&mut events, |event| matches!(event, Event::Attempting).then_some(())).await;
        if round > 0 {
            // Measured at the application, where an event may be seen a little late.
            assert!(last.elapsed() > Duration::from_millis(400), "{:?}", last.elapsed());
        }
        last = Instant::now();
        pick(&mut events, |event| matches!(event, Event::Connected { .. }).then_some(())).await;
    }
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_patient_start_ends_for_what_will_never_heal() {
    let sandbox = Sandbox::start().unwrap();
    let (client, mut events) = Client::start(device(&sandbox, "other-1")).await.unwrap();
    let error = end(&mut events).await;
    assert!(matches!(*error, Error::ConnectRefused { .. }), "{error:?}");
    assert!(events.next().await.is_none());
    assert!(matches!(client.disconnect().await, Err(Error::Stopped { source: Some(_) })));
}

#[tokio::test]
async fn a_patient_start_outlives_a_broker_that_is_late() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let mut sandbox = Sandbox::start().unwrap();
        let mut options = device(&sandbox, "test-1");
        options.mqtt_version = version;
        sandbox.stop();
        let (client, mut events) = Client::start(options).await.unwrap();
        for _ in 0..2 {
            let error = pick(&mut events, |event| match event {
                Event::ConnectionFailed { error } => Some(error),
                _ => None,
            });
            assert_eq!(error.await.layer(), Layer::Tcp);
        }
        sandbox.restart().unwrap();
        pick(&mut events, |event| matches!(event, Event::Connected { .. }).then_some(())).await;
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_patient_start_can_be_given_up() {
    let mut sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    sandbox.stop();
    options.reconnect_minimum = Duration::from_secs(600);
    options.reconnect_maximum = Duration::from_secs(600);
    let (client, mut events) = Client::start(options).await.unwrap();
    pick(&mut events, |event| matches!(event, Event::ConnectionFailed { .. }).then_some(())).await;
    tokio::time::timeout(LIMIT, client.disconnect()).await.unwrap().unwrap();
    assert!(matches!(events.next().await, Some(Event::Stopped { error: None })));
}

#[tokio::test]
async fn a_wrong_clock_is_waited_out_and_a_wrong_key_is_not() {
    // The broker's clock is ahead by ten minutes, as ours is behind on a device that has not asked for the time yet.
    for (offset, stops) in [(600, false), (0, true)] {
        let sandbox = Sandbox::builder().clock_offset_seconds(offset).start().unwrap();
        let known = sandbox.credentials();
        let secret = if stops { "wrong".to_owned() } else { known.secret_access_key.clone() };
        let token = Some(known.session_token.clone().into());
        let keys = StaticCredentials::new(known.access_key_id.clone(), secret, token);
        let auth = Auth::from(SigV4::new(CredentialSource::Static(keys), sandbox.region().to_owned()));
        let options = options(&sandbox, sandbox.https_port(), auth, "test-1");
        let (client, mut events) = Client::start(options).await.unwrap();
        if stops {
            let error = end(&mut events).await;
            assert!(matches!(*error, Error::UpgradeRefused { .. }), "{error:?}");
        } else {
            for _ in 0..2 {
                let error = pick(&mut events, |event| match event {
                    Event::ConnectionFailed { error } => Some(error),
                    Event::Stopped { error } => panic!("{error:?}"),
                    _ => None,
                });
                assert!(error.await.hint().unwrap().contains("clock"));
            }
            client.disconnect().await.unwrap();
        }
    }
}

#[tokio::test]
async fn no_patience_is_too_long() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.shutdown_timeout = Duration::MAX;
    options.connect_timeout = Duration::MAX;
    options.operation_timeout = Duration::MAX;
    options.session_expiry = Duration::MAX;
    options.reconnect_minimum = Duration::MAX;
    options.reconnect_maximum = Duration::MAX;
    let (client, _events) = connect(options.clone()).await;
    let mut message = iot_client::Message::new("test/topic", "x");
    message.expiry = Some(Duration::MAX);
    client.publish(message).await.unwrap();
    client.disconnect().await.unwrap();

    options.keep_alive = Duration::from_secs(65_536);
    let error = Client::connect(options.clone()).await.unwrap_err();
    assert!(error.to_string().contains("65,535 s"), "{error}");
    options.keep_alive = Duration::from_secs(65_535);
    options.client_id = "test\0".to_owned();
    let error = Client::connect(options).await.unwrap_err();
    assert!(error.to_string().contains("U+0000"), "{error}");
}

#[tokio::test]
async fn who_stops_waiting_for_a_turn_does_not_put_off_the_next() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.connect_interval = Duration::from_secs(1);
    connect(options.clone()).await.0.disconnect().await.unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        let given_up = tokio::time::timeout(Duration::from_millis(1), Client::connect(options.clone())).await;
        assert!(given_up.is_err());
    }
    connect(options).await.0.disconnect().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
