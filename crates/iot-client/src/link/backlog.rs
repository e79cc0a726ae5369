use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Messages on their way from the network to the application, counted so that the link can stop reading while
/// there are too many.
///
/// A broker stops by itself at 100 messages of QoS 1 that have not been acknowledged (see [`super::inbox`]); the limit is
/// for messages at which it does not stop, mostly of QoS 0.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    freed: Notify,
}

/// A message's place in the backlog, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Backlog {
    /// Ten times what a broker has under way at QoS 1.
    pub(crate) const MESSAGES: usize = 1000;

    /// More than 100 messages of AWS IoT Core's 128 KiB, so that QoS 1 alone never reaches it.
    pub(crate) const BYTES: usize = 16 * 1024 * 1024;

    /// Counts a message that takes so much memory.
    pub(crate) fn add(self: &Arc<Self>, bytes: usize) -> Place {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Place { backlog: Arc::clone(self), bytes }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.messages.load(Ordering::Acquire) >= Self::MESSAGES
            || self.bytes.load(Ordering::Acquire) >= Self::BYTES
    }

    /// Waits until there is room again.
    pub(crate) async fn drained(&self) {
        while self.is_full() {
            self.freed.notified().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.backlog.messages.fetch_sub(1, Ordering::Release);
        self.backlog.bytes.fetch_sub(self.bytes, Ordering::Release);
        self.backlog.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_as_messages_do() {
        let backlog = Arc::new(Backlog::default());
        let large = backlog.add(Backlog::BYTES - 1);
        assert!(!backlog.is_full());
        let one_more = backlog.add(1);
        assert!(backlog.is_full());
        drop(large);
        assert!(!backlog.is_full());
        let mut small: Vec<_> = (1..Backlog::MESSAGES).map(|_| backlog.add(0)).collect();
        assert!(backlog.is_full());
        small.pop();
        assert!(!backlog.is_full());
        drop((one_more, small));
        assert_eq!(backlog.bytes.load(Ordering::Relaxed), 0);
    }
}
