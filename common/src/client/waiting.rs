use std::collections::VecDeque;
use std::sync::Arc;

use super::Message;
use super::action::{Action, Reply};
use super::room::Room;

/// Actions that wait to be sent, in the order in which they were asked for, and the room that they take.
#[derive(Default)]
pub(super) struct Waiting {
    entries: VecDeque<Entry>,
    room: Arc<Room>,
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

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
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

    /// Puts a subscription that is renewed in front of all others.
    pub(super) fn push_front(&mut self, entry: Entry) {
        debug_assert!(entry.message().is_none(), "which takes no room");
        self.entries.push_front(entry);
    }

    /// Puts an entry behind those that were asked for before it.
    pub(super) fn insert(&mut self, entry: Entry) {
        if let Some(message) = entry.message() {
            self.room.take(message);
        }
        self.insert_with_room(entry);
    }

    /// As [`insert`](Self::insert), for an entry whose caller has taken the room.
    pub(super) fn insert_with_room(&mut self, entry: Entry) {
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
    pub(super) fn forget_abandoned(&mut self) {
        if self.callers > 0 {
            self.retain(|entry| !entry.is_abandoned());
        }
    }

    fn leaves(&mut self, entry: &Entry) {
        self.callers -= usize::from(entry.reply.may_be_abandoned());
        if let Some(message) = entry.message() {
            self.room.give_back(message);
        }
    }
}
