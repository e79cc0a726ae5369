use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Messages on their way from the network to the application, counted so that the link can stop reading while
/// the application lags.
///
/// paho has no back-pressure of its own: it acknowledges a message and hands it over at once, to a queue that
/// grows or to one that drops. So the limit is kept in front of paho.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Handed to paho, not yet seen by the driver.
    in_paho: AtomicUsize,
    /// In the application's queue.
    queued: AtomicUsize,
    taken: Notify,
}

impl Backlog {
    /// AWS IoT Core has at most this many unacknowledged messages under way to a client
    /// (<https://docs.aws.amazon.com/general/latest/gr/iot-core.html>), so a larger backlog buys nothing.
    pub(super) const LIMIT: usize = 100;

    pub(super) fn handed_to_paho(&self) {
        self.in_paho.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn queued_for_application(&self) {
        let _ = self.in_paho.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn taken(&self) {
        self.queued.fetch_sub(1, Ordering::Release);
        self.taken.notify_one();
    }

    /// Forgets what was under way to paho on a connection that has ended.
    pub(super) fn connection_ended(&self) {
        self.in_paho.store(0, Ordering::Relaxed);
        self.taken.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_paho.load(Ordering::Relaxed) + self.queued.load(Ordering::Acquire) >= Self::LIMIT
    }

    /// Waits until there is room again.
    pub(super) async fn room(&self) {
        while self.is_full() {
            self.taken.notified().await;
        }
    }
}
