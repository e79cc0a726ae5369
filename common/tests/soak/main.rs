//! A long run on a network that breaks again and again: nothing is lost, and nothing grows.
//!
//! `SOAK_MESSAGES` is how many messages to send (100,000), `SOAK_FAULT_MS` the milliseconds from a fault to the next
//! (250), and `--nocapture` shows numbers:
//!
//! ```sh
//! SOAK_MESSAGES=1000000 SOAK_FAULT_MS=1000 cargo test --release -p common --test soak -- --nocapture
//! ```

// What it measures is read from /proc.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod footprint;
mod tally;
mod weather;

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use footprint::Footprint;
use futures_util::future::join_all;
use iot_client::{Client, ClientOptions, Delivery, Event, Events, Message, QoS, SessionPolicy};
use sandbox::relay::{Options, Relay};
use sandbox::{Principal, Sandbox};
use support::{allow_all, connect, device_on, eventually};
use tally::Tally;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use weather::Weather;

const TOPIC: &str = "test/topic";
const PUBLISHER: &str = "test-publisher";
const SUBSCRIBER: &str = "test-subscriber";

/// Messages that were asked for and are not acknowledged: some in flight, the others waiting.
const AHEAD: usize = 400;
/// Messages that were asked for and have not arrived: half of what the broker keeps for a subscriber that is away, before
/// it drops the oldest.
const BEHIND: usize = 5000;
/// Messages that are asked for at the same time, so that they share what the disk takes. Up to 30 `join_all` polls in
/// their order, which is then the one in which they are sent: as many find place on their way to the client.
const TOGETHER: usize = 25;
/// Bytes of the store's file, which holds no more than these at a time; all that went through it would be twice as much.
const STORE: u64 = 3 * 1024 * 1024 / 2;
/// In so many parts, between which everything comes to rest.
const PARTS: usize = 5;
/// Nothing stands still for so long: a fault lasts less than a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured is the process's, so the runs take turns.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_grows_while_the_network_breaks() {
    let _alone = ALONE.lock().await;
    soak(given("SOAK_MESSAGES", 100_000), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_with_messages_on_disk() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    soak(given("SOAK_MESSAGES", 100_000) / 5, Some(directory.path())).await;
}

/// What a variable says, or what is usual.
fn given(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |given| given.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Two clients on two bad ways to one broker.
struct Soak {
    sandbox: Sandbox,
    weather: Weather,
    publisher: Client,
    publisher_events: Events,
    subscriber: Client,
    subscriber_events: Events,
    tally: Tally,
    /// [`TOGETHER`], or one after the other where no disk is in the way.
    together: usize,
}

async fn soak(messages: usize, persistence: Option<&Path>) {
    let fault_every = Duration::from_millis(given("SOAK_FAULT_MS", 250) as u64);
    let began = Instant::now();
    let mut soak = Soak::start(messages, persistence).await;
    let mut footprints = Vec::new();
    for part in 0..PARTS {
        soak.stretch(messages * part / PARTS..messages * (part + 1) / PARTS, fault_every).await;
        let footprint = Footprint::lowest().await;
        println!("after {} messages: {footprint}", soak.tally.distinct());
        footprints.push(footprint);
    }
    let disk = persistence.map(size);

    let Soak { weather, publisher, subscriber, tally, .. } = soak;
    println!(
        "{messages} messages, {} faults, {} and {} connections, {} duplicates, {:.1} s, bytes on disk: {disk:?}",
        weather.faults(),
        publisher.status().connections,
        subscriber.status().connections,
        tally.duplicates(),
        began.elapsed().as_secs_f64(),
    );
    tally.assert_complete();
    publisher.disconnect().await.unwrap();
    subscriber.disconnect().await.unwrap();
    // In the first part allocators and caches fill; from then on nothing may.
    footprints[0].assert_flat(&footprints[PARTS - 1], messages - messages / PARTS);
    assert!(disk <= Some(STORE), "the store has grown to {disk:?} bytes");
}

/// The bytes of all files in a directory.
fn size(directory: &Path) -> u64 {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

impl Soak {
    async fn start(messages: usize, persistence: Option<&Path>) -> Self {
        let sandbox = Sandbox::start().unwrap();
        sandbox.set_policies(Principal::Device, &[allow_all()]).unwrap();
        let relay = || Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
        let weather = Weather::new([relay(), relay()]);
        let mut options = restless(device_on(&sandbox, weather.port(0), PUBLISHER));
        options.persistence = persistence.map(Path::to_owned);
        let (publisher, publisher_events) = connect(options).await;
        let mut options = restless(device_on(&sandbox, weather.port(1), SUBSCRIBER));
        options.session = SessionPolicy::Resume;
        let (subscriber, subscriber_events) = connect(options).await;
        subscriber.subscribe(TOPIC, QoS::AtLeastOnce).await.unwrap();
        let tally = Tally::new(messages);
        let together = if persistence.is_some() { TOGETHER } else { 1 };
        Self { sandbox, weather, publisher, publisher_events, subscriber, subscriber_events, tally, together }
    }

    /// Publishes these numbers and sees them arrive, in bad weather. Both clients are connected afterwards.
    async fn stretch(&mut self, numbers: Range<usize>, fault_every: Duration) {
        let Self {
            sandbox, weather, publisher, publisher_events, subscriber, subscriber_events, tally, ..
        } = self;
        let together = self.together;
        let end = numbers.end;
        let room = Semaphore::new(BEHIND);
        let work = async {
            tokio::join!(
                publish(publisher, numbers, together, &room),
                receive(subscriber_events, tally, end, &room)
            );
        };
        tokio::select! {
            () = work => {}
            () = weather.rage(sandbox, [PUBLISHER, SUBSCRIBER], fault_every, || subscriber.status().received) => {}
            () = listen(publisher_events) => {}
        }
        weather.calm();
        for client in [&self.publisher, &self.subscriber] {
            eventually("calm", || client.status().connected).await;
            client.publish(Message::new("test/topic/calm", "")).await.unwrap();
        }
    }
}

/// A client that finds out quickly.
fn restless(mut options: ClientOptions) -> ClientOptions {
    options.keep_alive = Duration::from_secs(1);
    options.connect_timeout = Duration::from_secs(5);
    options
}

fn numbered(number: usize) -> Message {
    let mut payload = (number as u64).to_be_bytes().to_vec();
    payload.resize(100, 0);
    Message::new(TOPIC, payload)
}

async fn publish(client: &Client, numbers: Range<usize>, together: usize, room: &Semaphore) {
    let mut ahead = VecDeque::new();
    for start in numbers.clone().step_by(together) {
        let together = start..numbers.end.min(start + together);
        room.acquire_many(together.len() as u32).await.expect("it is never closed").forget();
        let taken_over = join_all(together.map(|number| client.enqueue(numbered(number)))).await;
        ahead.extend(taken_over.into_iter().map(|delivery| delivery.expect("the message is taken over")));
        while ahead.len() > AHEAD {
            acknowledged(ahead.pop_front()).await;
        }
    }
    for delivery in ahead {
        acknowledged(Some(delivery)).await;
    }
}

async fn acknowledged(delivery: Option<Delivery>) {
    let outcome = timeout(PATIENCE, delivery.expect("there is one")).await;
    outcome.expect("an acknowledgement").expect("a good one");
}

/// Receives until all numbers below `end` were there.
async fn receive(events: &mut Events, tally: &mut Tally, end: usize, room: &Semaphore) {
    while tally.distinct() < end {
        let event = timeout(PATIENCE, events.next()).await;
        match event.unwrap_or_else(|_| panic!("nothing comes any more: {tally:?}")) {
            Some(Event::Message(message)) => {
                let number = message.payload[..8].try_into().expect("eight bytes");
                if tally.note(u64::from_be_bytes(number) as usize) {
                    room.add_permits(1);
                }
            }
            Some(Event::Stopped { error }) => panic!("{error:?}"),
            Some(Event::Connected { session_present, .. }) => {
                assert!(session_present || tally.distinct() == 0, "the session is lost");
            }
            Some(_) => {}
            None => panic!("the client has ended"),
        }
    }
}

/// Takes the events of a client, until it ends, which it does not.
async fn listen(events: &mut Events) {
    while let Some(event) = events.next().await {
        if let Event::Stopped { error } = event {
            panic!("{error:?}");
        }
    }
}
