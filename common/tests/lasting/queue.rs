//! What waits while there is no connection, and how fast it goes out.

use std::time::{Duration, Instant};

use iot_client::{Client, Error, Event, Message, MqttVersion, QoS, Quotas, WhenFull};
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

use super::support::{connect, device, device_on, eventually};
use super::{payloads, pick};

fn numbered(number: usize) -> Message {
    Message::new("test/topic", number.to_string())
}

#[tokio::test]
async fn messages_wait_for_the_first_connection() {
    let mut sandbox = Sandbox::start().unwrap();
    let options = device(&sandbox, "test-1");
    sandbox.stop();
    let (client, mut events) = Client::start(options).await.unwrap();
    let mut deliveries = Vec::new();
    for number in 0..20 {
        deliveries.push(client.enqueue(numbered(number)).await.unwrap());
    }
    pick(&mut events, |event| matches!(event, Event::ConnectionFailed { .. }).then_some(())).await;
    let status = client.status();
    assert!(!status.connected && status.queued == 20 && status.in_flight == 0, "{status:?}");

    sandbox.restart().unwrap();
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    let status = client.status();
    assert!(status.connected && status.queued == 0 && status.published == 20, "{status:?}");
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_full_queue_is_never_silent() {
    for when_full in [WhenFull::RefuseNew, WhenFull::DropOldest] {
        let mut sandbox = Sandbox::start().unwrap();
        let mut options = device(&sandbox, "test-1");
        options.queue.messages = 3;
        options.queue.when_full = when_full;
        let (client, mut events) = connect(options).await;
        // Renewed with the next connection, before anything is published there.
        client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
        sandbox.stop();
        pick(&mut events, |event| matches!(event, Event::Disconnected { .. }).then_some(())).await;

        let mut accepted = Vec::new();
        let mut refused = 0;
        for number in 0..5 {
            match client.enqueue(numbered(number)).await {
                Ok(delivery) => accepted.push(delivery),
                Err(Error::QueueFull { waiting: 3, .. }) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        let mut dropped = 0;
        if when_full == WhenFull::DropOldest {
            for _ in 0..2 {
                pick(&mut events, |event| matches!(event, Event::Dropped { .. }).then_some(())).await;
                let delivery = accepted.remove(0);
                assert!(matches!(delivery.await, Err(Error::QueueFull { .. })));
                dropped += 1;
            }
        }
        assert_eq!((refused, dropped), if when_full == WhenFull::RefuseNew { (2, 0) } else { (0, 2) });
        assert_eq!(client.status().dropped, dropped);
        sandbox.restart().unwrap();
        for delivery in accepted {
            delivery.await.unwrap();
        }
        let expected = if when_full == WhenFull::RefuseNew { ["0", "1", "2"] } else { ["2", "3", "4"] };
        assert_eq!(payloads(&mut events, 3).await, expected);
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn publishing_keeps_to_the_quota_of_a_second() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.quotas = Quotas::aws();
    options.quotas.publishes_per_second = Some(20);
    let (client, mut events) = connect(options).await;
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    for number in 0..50 {
        client.enqueue(numbered(number)).await.unwrap();
    }
    let mut arrivals = Vec::new();
    while arrivals.len() < 50 {
        super::message(&mut events).await;
        arrivals.push(Instant::now());
    }
    // Measured where they arrive, which may be early or late by what the machine does in between.
    for (early, late) in arrivals.iter().zip(&arrivals[20..]) {
        assert!(*late - *early > Duration::from_millis(800), "{:?}", *late - *early);
    }
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_disconnect_waits_for_acknowledgements_over_a_reconnect() {
    let sandbox = Sandbox::start().unwrap();
    let relay =
        Relay::start(sandbox.mqtt_port(), Options { one_way_delay: Duration::from_millis(30) }).unwrap();
    let (client, _events) = connect(device_on(&sandbox, relay.port(), "test-1")).await;
    let mut deliveries = Vec::new();
    for number in 0..30 {
        deliveries.push(client.enqueue(numbered(number)).await.unwrap());
    }
    relay.cut();
    client.disconnect().await.unwrap();
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    assert_eq!(relay.connections(), 2);
    eventually("a clean end", || sandbox.connections().last().is_some_and(|last| last.clean_disconnect))
        .await;
}

#[tokio::test]
async fn a_disconnect_that_loses_messages_says_so() {
    let mut sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.shutdown_timeout = Duration::from_millis(300);
    let (client, _events) = connect(options).await;
    sandbox.stop();
    let deliveries = [client.enqueue(numbered(0)).await.unwrap(), client.enqueue(numbered(1)).await.unwrap()];
    let error = client.disconnect().await.unwrap_err();
    assert!(matches!(error, Error::Undelivered { messages: 2, .. }), "{error:?}");
    assert!(error.hint().is_some());
    for delivery in deliveries {
        assert!(matches!(delivery.await, Err(Error::Stopped { .. })));
    }
}

#[tokio::test]
async fn a_message_that_ends_connections_takes_none_of_the_others_with_it() {
    let sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.mqtt_version = MqttVersion::V311;
    let (client, _events) = connect(options).await;
    let mut deliveries = Vec::new();
    for number in 0..60 {
        let topic = if number == 30 { "secret/topic" } else { "test/topic" };
        deliveries.push(client.enqueue(Message::new(topic, number.to_string())).await.unwrap());
    }
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let outcome = delivery.await;
        match outcome {
            Ok(()) => assert_ne!(number, 30),
            Err(Error::OperationClosesConnection { .. }) => assert_eq!(number, 30),
            other => panic!("{number}: {other:?}"),
        }
    }
    client.disconnect().await.unwrap();
}

/// Clients that come and go while there is no broker, each with messages that nobody waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_without_a_broker_end_when_they_are_told_to() {
    let mut sandbox = Sandbox::start().unwrap();
    let options = device(&sandbox, "test-1");
    sandbox.stop();
    let ends = (0..200).map(|number| {
        let mut options = options.clone();
        options.client_id = format!("test-{number}");
        options.shutdown_timeout = Duration::from_millis(200);
        tokio::spawn(async move {
            let (client, mut events) = Client::start(options).await.unwrap();
            for number in 0..50 {
                drop(client.enqueue(numbered(number)).await.unwrap());
            }
            if number % 2 == 0 {
                drop(client);
            } else {
                let left = client.disconnect().await;
                assert!(matches!(left, Err(Error::Undelivered { messages: 50, .. })), "{left:?}");
            }
            pick(&mut events, |event| matches!(event, Event::Stopped { error: None }).then_some(())).await;
            assert!(events.next().await.is_none());
        })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await.unwrap();
    }
}

#[tokio::test]
async fn a_disconnect_does_not_wait_for_what_was_given_up() {
    let mut sandbox = Sandbox::start().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.operation_timeout = Duration::from_millis(100);
    options.shutdown_timeout = Duration::from_secs(600);
    let (client, mut events) = connect(options).await;
    sandbox.stop();
    pick(&mut events, |event| matches!(event, Event::Disconnected { .. }).then_some(())).await;
    let error = client.publish(numbered(0)).await.unwrap_err();
    assert!(matches!(error, Error::OperationTimeout { .. }), "{error:?}");
    tokio::time::timeout(super::LIMIT, client.disconnect()).await.expect("at once").unwrap();
}
