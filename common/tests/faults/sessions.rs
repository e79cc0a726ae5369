//! A subscriber behind the fault: what is published while it is away waits in its session.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use iot_client::{Event, MqttVersion, QoS, SessionPolicy};
use sandbox::Sandbox;
use sandbox::relay::{Direction, Fault, Reach, Relay};
use tokio::time::sleep;

use crate::journal::Journal;
use crate::row::{TOPIC, number, payload, report};
use crate::support::{connect, device_on};
use crate::{LIMIT, VERSIONS, attentive, relay_to};

fn publish(sandbox: &Sandbox, numbers: std::ops::Range<usize>) {
    for number in numbers {
        sandbox.publish(TOPIC, payload(number).as_bytes()).unwrap();
    }
}

fn received(entries: &[(Instant, Event)]) -> Vec<usize> {
    let message = |(_, event): &(Instant, Event)| match event {
        Event::Message(message) => Some(number(&message.payload)),
        _ => None,
    };
    entries.iter().filter_map(message).collect()
}

/// Waits until each of so many messages has been received.
async fn all_received(journal: &Journal, count: usize) {
    let missing = |entries: &[(Instant, Event)]| {
        let received: BTreeSet<usize> = received(entries).into_iter().collect();
        (0..count).filter(|number| !received.contains(number)).collect::<Vec<_>>()
    };
    if !journal.until(|entries| missing(entries).is_empty()).await {
        let missing = missing(&journal.entries());
        panic!("of {count} messages never received: {missing:?}{}", journal.summary());
    }
}

/// A subscriber whose session outlives its connections.
async fn subscriber(sandbox: &Sandbox, relay: &Relay, version: MqttVersion) -> (iot_client::Client, Journal) {
    let mut options = attentive(device_on(sandbox, relay.port(), "test-1"), version);
    options.session = SessionPolicy::Resume;
    let (client, events) = connect(options).await;
    let mut journal = Journal::of(events);
    journal.connected().await;
    client.subscribe(TOPIC, QoS::AtLeastOnce).await.unwrap();
    (client, journal)
}

#[tokio::test]
async fn what_is_published_during_an_outage_is_received_after_it() {
    let faults = [Fault::Reset, Fault::BlackHole, Fault::Loss(Direction::ToClient)];
    for (fault, version) in faults.into_iter().flat_map(|fault| VERSIONS.map(|version| (fault, version))) {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let (client, mut journal) = subscriber(&sandbox, &relay, version).await;
        publish(&sandbox, 0..50);
        all_received(&journal, 50).await;
        relay.inject(Reach::All, fault);
        // Some are on their way when it is noticed, the others wait at the broker.
        publish(&sandbox, 50..100);
        journal.disconnected().await;
        journal.failed().await;
        publish(&sandbox, 100..150);
        let healed = Instant::now();
        relay.heal();
        let (time, session_present) = journal.connected().await;
        assert!(session_present, "MQTT {version}");
        publish(&sandbox, 150..200);
        all_received(&journal, 200).await;
        let name = format!("subscriber, {fault:?} (MQTT {version})");
        report(&name, 200, &received(&journal.entries()), Some(time - healed));
        client.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_within_a_delivery_loses_nothing() {
    for version in VERSIONS {
        for direction in [Direction::ToClient, Direction::ToServer] {
            let sandbox = Sandbox::start().unwrap();
            let relay = relay_to(sandbox.mqtt_port());
            let (client, mut journal) = subscriber(&sandbox, &relay, version).await;
            let mut published = 0;
            for bytes in [1, 10, 60, 250, 700] {
                journal.skip_to_now();
                let before = relay.connections();
                relay.inject(Reach::Live, Fault::ResetAfter { direction, bytes });
                // Until it has hit.
                let deadline = Instant::now() + LIMIT;
                while relay.connections() == before {
                    assert!(Instant::now() < deadline, "no reset after {bytes} bytes {direction:?}");
                    publish(&sandbox, published..published + 5);
                    published += 5;
                    sleep(Duration::from_millis(2)).await;
                }
                journal.disconnected().await;
                let (_, session_present) = journal.connected().await;
                assert!(session_present, "MQTT {version}");
            }
            all_received(&journal, published).await;
            let name = format!("reset within a delivery {direction:?} (MQTT {version})");
            report(&name, published, &received(&journal.entries()), None);
            assert_eq!(relay.connections(), 6);
            client.disconnect().await.unwrap();
        }
    }
}
