//! No storm, whatever happens.

use std::time::{Duration, Instant};

use iot_client::{Event, MqttVersion};
use sandbox::Sandbox;
use sandbox::relay::{Fault, Reach};
use tokio::time::sleep;

use crate::journal::Journal;
use crate::support::{connect, device_on};
use crate::{quick, relay_to};

const OUTAGE: Duration = Duration::from_secs(8);
const INTERVAL: Duration = Duration::from_secs(1);

/// The times at which attempts began.
fn attempts(journal: &Journal) -> Vec<Instant> {
    let attempts = journal.entries().into_iter().filter(|(_, event)| matches!(event, Event::Attempting));
    attempts.map(|(time, _)| time).collect()
}

#[track_caller]
fn assert_paced(journal: &Journal) {
    let attempts = attempts(journal);
    let (first, last) = (attempts[0], attempts[attempts.len() - 1]);
    let intervals = u32::try_from(attempts.len() - 1).unwrap();
    // An event is noted a moment after it happens, the later the busier the machine; the moments do not add up.
    assert!(last - first + INTERVAL / 2 >= intervals * INTERVAL, "{intervals} in {:?}", last - first);
}

/// Back-off of no length, so that nothing but the interval is in the way.
#[tokio::test]
async fn there_is_at_most_one_attempt_a_second_whatever_the_back_off() {
    let sandbox = Sandbox::start().unwrap();
    let relay = relay_to(sandbox.mqtt_port());
    let mut options = quick(device_on(&sandbox, relay.port(), "test-1"), MqttVersion::V5);
    options.reconnect_minimum = Duration::from_millis(1);
    options.reconnect_maximum = Duration::from_millis(1);
    options.connect_interval = INTERVAL;
    let (_client, events) = connect(options).await;
    let journal = Journal::of(events);
    // Accepted, and closed at once: each short success must not start the next attempt early.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        sandbox.disconnect("test-1", 0x8b, None);
        sleep(Duration::from_millis(5)).await;
    }
    assert_paced(&journal);
    assert!((3..=5).contains(&relay.connections()), "{} connections", relay.connections());
}

#[tokio::test]
async fn an_outage_costs_few_attempts_with_the_default_back_off() {
    let sandbox = Sandbox::start().unwrap();
    let relay = relay_to(sandbox.mqtt_port());
    let mut options = quick(device_on(&sandbox, relay.port(), "test-1"), MqttVersion::V5);
    options.reconnect_minimum = Duration::from_secs(1);
    options.reconnect_maximum = Duration::from_secs(120);
    options.connect_interval = INTERVAL;
    let (_client, events) = connect(options).await;
    let mut journal = Journal::of(events);
    relay.inject(Reach::All, Fault::Reset);
    journal.failed().await;
    sleep(OUTAGE).await;
    assert_paced(&journal);
    let attempts = attempts(&journal).len();
    assert_eq!(relay.connections(), attempts);
    // One a second at the very most; with jitter below ceilings of 1, 2, 4 and 8 s it is half of that or less.
    assert!(attempts <= 2 + OUTAGE.as_secs() as usize, "{attempts} attempts");
}
