use std::sync::{Mutex, PoisonError};

use crate::client::{Message, QueueLimits};

/// How much the messages that wait take up. Callers share it with the driver, so that taking a message over costs them
/// no round trip to it.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

impl Taken {
    fn has_room(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.messages < limits.messages && self.bytes.saturating_add(message.size()) <= limits.bytes
    }

    fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.bytes += message.size();
    }
}

impl Room {
    /// Takes room for a message, if there is any.
    pub(crate) fn try_take(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.with(|taken| {
            let has_room = taken.has_room(message, limits);
            if has_room {
                taken.add(message);
            }
            has_room
        })
    }

    /// Takes room for a message, whether there is any or not.
    pub(crate) fn take(&self, message: &Message) {
        self.with(|taken| taken.add(message));
    }

    /// Gives back the room of a message.
    pub(crate) fn give_back(&self, message: &Message) {
        self.with(|taken| {
            taken.messages -= 1;
            taken.bytes -= message.size();
        });
    }

    /// Whether there is no room for one more message.
    pub(crate) fn is_full(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.with(|taken| !taken.has_room(message, limits))
    }

    /// How many messages take room.
    pub(crate) fn messages(&self) -> usize {
        self.with(|taken| taken.messages)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Taken) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
