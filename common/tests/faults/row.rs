//! A row of the matrix: a client that publishes without a pause, and the count of what came of it at the broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use iot_client::{Client, ClientOptions, Error, Message};
use sandbox::{Recording, Sandbox};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, timeout};

use crate::LIMIT;
use crate::journal::Journal;
use crate::support::{connect, eventually};

/// What is published to: the policies of all principals allow it.
pub(crate) const TOPIC: &str = "test/topic";

/// How many messages wait for their acknowledgement at a time.
const WINDOW: usize = 20;

/// The length of each payload, in bytes.
pub(crate) const PAYLOAD: usize = 200;

pub(crate) struct Row {
    name: String,
    client: Client,
    journal: Journal,
    recording: Recording,
    acknowledged: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    publishing: JoinHandle<Result<usize, Error>>,
    recovery: Option<Duration>,
}

impl Row {
    /// Connects, and publishes until [`Row::finish`]. Returns when the first messages have been acknowledged.
    pub(crate) async fn start(name: &str, sandbox: &Sandbox, options: ClientOptions) -> Self {
        let name = format!("{name} (MQTT {})", options.mqtt_version);
        let recording = sandbox.record(TOPIC);
        let (client, events) = connect(options).await;
        let (acknowledged, enough) = (Arc::default(), Arc::<AtomicBool>::default());
        let publishing = publish(client.clone(), Arc::clone(&acknowledged), Arc::clone(&enough));
        let publishing = tokio::spawn(publishing);
        let mut journal = Journal::of(events);
        journal.connected().await;
        let mut row =
            Self { name, client, journal, recording, acknowledged, enough, publishing, recovery: None };
        row.progress(WINDOW).await;
        row
    }

    /// Waits until so many more messages have been acknowledged.
    pub(crate) async fn progress(&mut self, count: usize) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + count;
        let what = format!("{}: {goal} acknowledged", self.name);
        tokio::select! {
            () = eventually(&what, || self.acknowledged.load(Ordering::Relaxed) >= goal) => {}
            outcome = &mut self.publishing => panic!("{}: a publish has failed: {outcome:?}", self.name),
        }
    }

    /// Waits for the end of a connection.
    pub(crate) async fn disconnected(&mut self) -> Arc<Error> {
        tokio::select! {
            error = self.journal.disconnected() => error,
            outcome = &mut self.publishing => panic!("{}: a publish has failed: {outcome:?}", self.name),
        }
    }

    /// Waits for an attempt that fails.
    pub(crate) async fn failed(&mut self) -> Arc<Error> {
        tokio::select! {
            error = self.journal.failed() => error,
            outcome = &mut self.publishing => panic!("{}: a publish has failed: {outcome:?}", self.name),
        }
    }

    /// Waits for the connection after what was healed at `since`; whether the session was still there.
    pub(crate) async fn recovered(&mut self, since: Instant) -> bool {
        let (time, session_present) = self.journal.connected().await;
        self.recovery = Some(time.saturating_duration_since(since));
        session_present
    }

    /// Publishes a few more, and requires that all arrived.
    pub(crate) async fn finish(mut self) {
        self.progress(WINDOW).await;
        let name = &self.name;
        self.enough.store(true, Ordering::Relaxed);
        let published = timeout(LIMIT, self.publishing).await;
        let published = published.unwrap_or_else(|_| panic!("{name}: some are never acknowledged"));
        let published = published.unwrap().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let received: Vec<usize> = self.recording.messages().iter().map(|one| number(&one.payload)).collect();
        report(name, published, &received, self.recovery);
        self.client.disconnect().await.unwrap();
    }
}

/// Prints the row, and requires that each of so many messages has arrived.
pub(crate) fn report(name: &str, published: usize, received: &[usize], recovery: Option<Duration>) {
    let distinct: BTreeSet<usize> = received.iter().copied().collect();
    let duplicates = received.len() - distinct.len();
    let recovery = recovery.map_or_else(|| "-".to_owned(), |time| format!("{} ms", time.as_millis()));
    eprintln!(
        "{name:<60} published {published:>5}  received {:>5}  duplicates {duplicates:>3}  reconnected after {recovery}",
        distinct.len()
    );
    let lost: Vec<usize> = (0..published).filter(|number| !distinct.contains(number)).collect();
    assert!(lost.is_empty(), "{name}: lost {lost:?}");
    assert_eq!(distinct.len(), published, "{name}: more than was published");
}

/// A payload by which a message is known again.
pub(crate) fn payload(number: usize) -> String {
    format!("{number:<PAYLOAD$}")
}

pub(crate) fn number(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().trim_end().parse().unwrap()
}

/// Publishes until it is enough, and says how many were acknowledged, which is all unless there is an error.
pub(crate) async fn publish(
    client: Client,
    acknowledged: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
) -> Result<usize, Error> {
    let mut under_way = JoinSet::new();
    let mut published = 0;
    let mut pace = interval(Duration::from_millis(2));
    loop {
        let end = enough.load(Ordering::Relaxed);
        while under_way.len() == WINDOW || end && !under_way.is_empty() {
            if let Some(outcome) = under_way.join_next().await {
                outcome.unwrap()?;
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
        if end {
            return Ok(published);
        }
        while let Some(outcome) = under_way.try_join_next() {
            outcome.unwrap()?;
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        pace.tick().await;
        let (client, message) = (client.clone(), Message::new(TOPIC, payload(published)));
        under_way.spawn(async move { client.publish(message).await });
        published += 1;
    }
}
