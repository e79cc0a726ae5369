//! What a client reports.

use std::sync::Arc;
use std::time::Instant;

use iot_client::{Error, Event, Events};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::LIMIT;

/// A client's events with their times, read in order.
pub(crate) struct Journal {
    entries: watch::Receiver<Vec<(Instant, Event)>>,
    /// How many have been read.
    read: usize,
}

impl Journal {
    pub(crate) fn of(mut events: Events) -> Self {
        let (sender, entries) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                sender.send_modify(|entries| entries.push((Instant::now(), event)));
            }
        });
        Self { entries, read: 0 }
    }

    /// All that has happened so far.
    pub(crate) fn entries(&self) -> Vec<(Instant, Event)> {
        self.entries.borrow().clone()
    }

    /// Waits until `condition` holds for all that has happened; whether it does in time.
    pub(crate) async fn until(&self, condition: impl Fn(&[(Instant, Event)]) -> bool) -> bool {
        let mut entries = self.entries.clone();
        // The client's end closes the channel, which is as much a reason to stop waiting as the deadline.
        let _ = timeout(LIMIT, entries.wait_for(|entries| condition(entries))).await;
        condition(&self.entries())
    }

    /// One line an event, messages aside.
    pub(crate) fn summary(&self) -> String {
        let line = |(_, event)| match event {
            Event::Message(_) => None,
            Event::Connected { session_present, .. } => {
                Some(format!("\n  Connected, session present: {session_present}"))
            }
            event => Some(format!("\n  {event:?}")),
        };
        self.entries().into_iter().filter_map(line).collect()
    }

    /// What has happened from now on is read next.
    pub(crate) fn skip_to_now(&mut self) {
        self.read = self.entries.borrow().len();
    }

    /// The next event that `pick` takes; those before it are passed over.
    pub(crate) async fn next<T>(&mut self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> (Instant, T) {
        let read = self.read;
        let find = |entries: &Vec<(Instant, Event)>| {
            let unread = entries.iter().enumerate().skip(read);
            unread.filter_map(|(place, (time, event))| Some((place, *time, pick(event)?))).next()
        };
        // The client's end closes the channel, which is as much a reason to stop waiting as the deadline.
        let _ = timeout(LIMIT, self.entries.wait_for(|entries| find(entries).is_some())).await;
        let found = find(&self.entries.borrow());
        let Some((place, time, found)) = found else {
            panic!("no {what} after the first {read} of {}", self.summary())
        };
        self.read = place + 1;
        (time, found)
    }

    /// Waits for the end of a connection.
    pub(crate) async fn disconnected(&mut self) -> Arc<Error> {
        let disconnected = |event: &Event| match event {
            Event::Disconnected { error } => Some(Arc::clone(error)),
            _ => None,
        };
        self.next("Disconnected", disconnected).await.1
    }

    /// Waits for an attempt that fails.
    pub(crate) async fn failed(&mut self) -> Arc<Error> {
        let failed = |event: &Event| match event {
            Event::ConnectionFailed { error } => Some(Arc::clone(error)),
            _ => None,
        };
        self.next("ConnectionFailed", failed).await.1
    }

    /// Waits for a connection; the time, and whether the session was still there.
    pub(crate) async fn connected(&mut self) -> (Instant, bool) {
        let connected = |event: &Event| match event {
            Event::Connected { session_present, .. } => Some(*session_present),
            _ => None,
        };
        self.next("Connected", connected).await
    }

    /// Waits for the end of the client, which has to have a reason.
    pub(crate) async fn stopped(&mut self) -> Arc<Error> {
        let stopped = |event: &Event| match event {
            Event::Stopped { error } => error.clone(),
            _ => None,
        };
        self.next("Stopped with a reason", stopped).await.1
    }
}
