use std::sync::{Mutex, PoisonError};

use crate::{Message, QueueLimits};

/// The messages and bytes that wait to be sent. Callers share it with the driver, so that taking a message over costs them
/// no round trip to it.
#[derive(Debug, Default)]
pub(crate) struct QueueUsage(Mutex<Usage>);

#[derive(Debug, Default)]
struct Usage {
    messages: usize,
    bytes: usize,
}

impl Usage {
    fn fits(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.messages < limits.messages && self.bytes.saturating_add(message.size()) <= limits.bytes
    }

    fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.bytes += message.size();
    }
}

impl QueueUsage {
    /// Counts a message, if the limits leave room for it.
    pub(crate) fn try_add(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.with(|usage| {
            let fits = usage.fits(message, limits);
            if fits {
                usage.add(message);
            }
            fits
        })
    }

    /// Counts a message, whatever the limits.
    pub(crate) fn add(&self, message: &Message) {
        self.with(|usage| usage.add(message));
    }

    /// Takes a message off the count.
    pub(crate) fn remove(&self, message: &Message) {
        self.with(|usage| {
            usage.messages -= 1;
            usage.bytes -= message.size();
        });
    }

    /// Returns whether the limits leave no room for one more message.
    pub(crate) fn is_full(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.with(|usage| !usage.fits(message, limits))
    }

    /// The number of messages.
    pub(crate) fn messages(&self) -> usize {
        self.with(|usage| usage.messages)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Usage) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
