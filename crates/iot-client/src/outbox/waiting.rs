use std::collections::VecDeque;
use std::sync::Arc;

use crate::Message;
use crate::outbox::queue_usage::QueueUsage;
use crate::request::{Action, Reply};

/// Actions that wait to be sent, in the order in which they were asked for, and how much of the queue they use.
#[derive(Default)]
pub(crate) struct Waiting {
    entries: VecDeque<Entry>,
    usage: Arc<QueueUsage>,
    /// Entries whose caller may stop waiting.
    callers: usize,
}

/// An action, until it is answered.
pub(crate) struct Entry {
    /// The order in which the application asked; [`Entry::RENEWED`] comes first.
    pub(crate) sequence: u64,
    pub(crate) action: Action,
    pub(crate) reply: Reply,
    pub(crate) kept: Kept,
    /// A connection has carried it, so that the broker may have it.
    pub(crate) sent: bool,
}

/// The place that keeps an action until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    InMemory,
    /// On its way to the message store. It is sent once it has arrived there.
    Storing,
    /// In the message store, so that it outlives the process.
    Stored,
}

impl Entry {
    /// The sequence of subscriptions that are renewed.
    pub(crate) const RENEWED: u64 = 0;

    /// Returns whether its caller has stopped waiting, and nobody else counts on it.
    pub(crate) fn is_abandoned(&self) -> bool {
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
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn usage(&self) -> &Arc<QueueUsage> {
        &self.usage
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    pub(crate) fn pop_front(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.leaves(&entry);
        Some(entry)
    }

    /// Puts a subscription that is renewed in front of all others.
    pub(crate) fn push_front(&mut self, entry: Entry) {
        debug_assert!(entry.message().is_none(), "which is not counted");
        self.entries.push_front(entry);
    }

    /// Puts an entry behind those that were asked for before it.
    pub(crate) fn insert(&mut self, entry: Entry) {
        if let Some(message) = entry.message() {
            self.usage.add(message);
        }
        self.insert_counted(entry);
    }

    /// As [`insert`](Self::insert), for an entry whose caller has counted it.
    pub(crate) fn insert_counted(&mut self, entry: Entry) {
        self.callers += usize::from(entry.reply.may_be_abandoned());
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
    pub(crate) fn get_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&sequence, |entry| entry.sequence).ok()?;
        self.entries.get_mut(place)
    }

    /// Takes out the first entry for which `condition` holds.
    pub(crate) fn remove_first(&mut self, condition: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let place = self.entries.iter().position(condition)?;
        let entry = self.entries.remove(place)?;
        self.leaves(&entry);
        Some(entry)
    }

    /// Takes out the oldest message that no connection has carried.
    pub(crate) fn remove_oldest_unsent(&mut self) -> Option<Entry> {
        self.remove_first(|entry| !entry.sent && entry.message().is_some())
    }

    /// Keeps the entries for which `condition` holds.
    pub(crate) fn retain(&mut self, condition: impl Fn(&Entry) -> bool) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|entry| {
            let stays = condition(entry);
            if !stays {
                self.leaves(entry);
            }
            stays
        });
        self.entries = entries;
    }

    /// Takes out what nobody waits for any more.
    pub(crate) fn forget_abandoned(&mut self) {
        if self.callers > 0 {
            self.retain(|entry| !entry.is_abandoned());
        }
    }

    fn leaves(&mut self, entry: &Entry) {
        self.callers -= usize::from(entry.reply.may_be_abandoned());
        if let Some(message) = entry.message() {
            self.usage.remove(message);
        }
    }
}
