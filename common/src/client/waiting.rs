use std::collections::VecDeque;

use super::action::{Action, Reply};
use super::{Message, QueueLimits};

/// Actions that wait to be sent, in the order in which they were asked for, and how much room they take.
#[derive(Default)]
pub(super) struct Waiting {
    entries: VecDeque<Entry>,
    messages: usize,
    bytes: usize,
    /// Entries whose caller may stop waiting.
    callers: usize,
}

/// An action, until it is answered.
pub(super) struct Entry {
    /// The order in which the application asked; [`Entry::RENEWED`] comes first.
    pub(super) sequence: u64,
    pub(super) action: Action,
    pub(super) reply: Reply,
    pub(super) kept: Kept,
    /// Whether a connection has carried it, so that the broker may have it.
    pub(super) sent: bool,
}

/// Where an action is kept until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    InMemory,
    /// On its way to the message store. It is sent once it has arrived there.
    Storing,
    /// In the message store, so that it outlives the process.
    Stored,
}

impl Entry {
    /// The sequence of subscriptions that are renewed.
    pub(super) const RENEWED: u64 = 0;

    /// Whether its caller has stopped waiting, and nobody else counts on it.
    pub(super) fn is_abandoned(&self) -> bool {
        self.kept == Kept::InMemory && self.reply.is_abandoned()
    }

    fn message(&self) -> Option<&Message> {
        match &self.action {
            Action::Publish(message) => Some(message),
            _ => None,
        }
    }
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many messages are among the actions.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Whether there is no room for one more message.
    pub(super) fn is_full(&self, message: &Message, limits: &QueueLimits) -> bool {
        self.messages >= limits.messages || self.bytes.saturating_add(message.size()) > limits.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    pub(super) fn pop_front(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.leaves(&entry);
        Some(entry)
    }

    pub(super) fn push_front(&mut self, entry: Entry) {
        self.comes(&entry);
        self.entries.push_front(entry);
    }

    /// Puts an entry behind those that were asked for before it.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.comes(&entry);
        // Mostly it is the last.
        let place = match self.entries.back() {
            Some(last) if last.sequence > entry.sequence => {
                self.entries.partition_point(|other| other.sequence <= entry.sequence)
            }
            _ => self.entries.len(),
        };
        self.entries.insert(place, entry);
    }

    /// The entry with this sequence.
    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&sequence, |entry| entry.sequence).ok()?;
        self.entries.get_mut(place)
    }

    /// Takes out the first entry for which `condition` holds.
    pub(super) fn remove_first(&mut self, condition: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let place = self.entries.iter().position(condition)?;
        let entry = self.entries.remove(place)?;
        self.leaves(&entry);
        Some(entry)
    }

    /// Takes out the oldest message that no connection has carried.
    pub(super) fn remove_oldest_unsent(&mut self) -> Option<Entry> {
        self.remove_first(|entry| !entry.sent && entry.message().is_some())
    }

    /// Keeps the entries for which `condition` holds.
    pub(super) fn retain(&mut self, condition: impl Fn(&Entry) -> bool) {
        self.entries.retain(condition);
        self.messages = self.entries.iter().filter(|entry| entry.message().is_some()).count();
        self.bytes = self.entries.iter().filter_map(Entry::message).map(Message::size).sum();
        self.callers = self.entries.iter().filter(|entry| entry.reply.may_be_abandoned()).count();
    }

    /// Takes out what nobody waits for any more.
    pub(super) fn forget_abandoned(&mut self) {
        if self.callers > 0 {
            self.retain(|entry| !entry.is_abandoned());
        }
    }

    fn comes(&mut self, entry: &Entry) {
        self.callers += usize::from(entry.reply.may_be_abandoned());
        if let Some(message) = entry.message() {
            self.messages += 1;
            self.bytes += message.size();
        }
    }

    fn leaves(&mut self, entry: &Entry) {
        self.callers -= usize::from(entry.reply.may_be_abandoned());
        if let Some(message) = entry.message() {
            self.messages -= 1;
            self.bytes -= message.size();
        }
    }
}
