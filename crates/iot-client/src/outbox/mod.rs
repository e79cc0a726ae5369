//! The requests of the application that the broker has not answered yet.

pub(crate) mod aliases;
#[cfg_attr(not(feature = "store"), path = "no_disk.rs")]
pub(crate) mod disk;
mod limits;
pub(crate) mod queue_usage;
mod rate_limit;
mod subscriptions;
mod suspect;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, HashSet};
use std::future::pending;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::BrokerLimits;
use crate::error::Error;
use crate::outbox::aliases::Aliases;
use crate::outbox::disk::{Disk, outcome};
use crate::outbox::queue_usage::QueueUsage;
use crate::outbox::rate_limit::RateLimiter;
use crate::outbox::subscriptions::Subscriptions;
use crate::outbox::suspect::{Suspect, blames_an_action};
use crate::outbox::waiting::{Entry, Kept, Waiting};
use crate::paho::operations::{Answer, OperationFailure};
use crate::paho::session::Session;
use crate::request::{Action, Reply};
use crate::{ClientOptions, Message, MqttVersion, Operation, QoS, Status, WhenFull};

/// Actions in the order in which they were asked for, each kept until it is answered, so that it can be sent
/// again on the next connection. paho's own memory ends with its connection.
pub(crate) struct Outbox {
    options: Arc<ClientOptions>,
    /// By sequence.
    waiting: Waiting,
    /// By the order of sending.
    in_flight: BTreeMap<u64, Entry>,
    answers: FuturesUnordered<BoxFuture<'static, (u64, Answer)>>,
    next_id: u64,
    next_sequence: u64,
    subscriptions: Subscriptions,
    suspect: Suspect,
    /// The length at which `waiting` is searched for actions that nobody waits for any more.
    prune_at: usize,
    rate_limiter: RateLimiter,
    /// The moment from which the quotas allow the next message.
    rate_limited_until: Option<Instant>,
    aliases: Aliases,
    /// Those of the connection that stands, or stood last.
    limits: BrokerLimits,
    published: u64,
    dropped: u64,
    disk: Option<Disk>,
}

impl Outbox {
    /// The least number of waiting actions to look through.
    const PRUNE: usize = 64;

    /// An outbox that holds what an earlier process has left on disk.
    pub(crate) async fn open(options: Arc<ClientOptions>) -> Result<Self, Error> {
        let mut outbox = Self::new(Arc::clone(&options));
        let Some((disk, left)) = Disk::open(&options).await? else { return Ok(outbox) };
        for (sequence, message) in left {
            outbox.next_sequence = sequence + 1;
            let (reply, kept) = (Reply::Nobody, Kept::Stored);
            let action = Action::Publish(Arc::new(message));
            outbox.waiting.insert(Entry { sequence, action, reply, kept, sent: false });
        }
        if !outbox.waiting.is_empty() {
            log::info!("{} messages of an earlier run are to be sent", outbox.waiting.len());
        }
        let bare = |entry: &&Entry| matches!(&entry.action, Action::Publish(message) if message.needs_mqtt_5().is_some());
        let bare = outbox.waiting.iter().filter(bare).count();
        if bare > 0 && options.mqtt_version == MqttVersion::V311 {
            log::warn!("{bare} of them lose their properties, which MQTT 3.1.1 cannot carry");
        }
        outbox.disk = Some(disk);
        Ok(outbox)
    }

    fn new(options: Arc<ClientOptions>) -> Self {
        Self {
            waiting: Waiting::default(),
            in_flight: BTreeMap::new(),
            answers: FuturesUnordered::new(),
            next_id: 0,
            next_sequence: Entry::RENEWED + 1,
            subscriptions: Subscriptions::default(),
            suspect: Suspect::default(),
            prune_at: Self::PRUNE,
            rate_limiter: RateLimiter::new(&options.quotas),
            rate_limited_until: None,
            aliases: Aliases::default(),
            limits: BrokerLimits::default(),
            published: 0,
            dropped: 0,
            disk: None,
            options,
        }
    }

    /// Takes an action over, or answers why not. The topics of the messages that had to go for it.
    pub(crate) fn push(&mut self, action: Action, mut reply: Reply) -> Vec<String> {
        self.prune();
        let mut dropped = Vec::new();
        if reply.is_accepted() {
            let sequence = self.take_sequence();
            self.waiting.insert_counted(Entry { sequence, action, reply, kept: Kept::InMemory, sent: false });
            return dropped;
        }
        if let Err(error) = self.admit(&action, &mut dropped) {
            reply.answer(Err(error));
            return dropped;
        }
        let sequence = self.take_sequence();
        let kept = match (&self.disk, &action) {
            (Some(disk), Action::Publish(message)) if message.qos == QoS::AtLeastOnce => {
                disk.append(sequence, Arc::clone(message));
                Kept::Storing
            }
            _ => {
                reply.accept();
                Kept::InMemory
            }
        };
        self.waiting.insert(Entry { sequence, action, reply, kept, sent: false });
        dropped
    }

    fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    /// The count of waiting messages, to which a caller may add one that is kept in memory.
    pub(crate) fn queue_usage(&self) -> Arc<QueueUsage> {
        Arc::clone(self.waiting.usage())
    }

    /// Waits until the message store has something to say, and acts on it.
    pub(crate) async fn stored(&mut self) {
        match outcome(&mut self.disk).await {
            Some((sequence, outcome)) => self.is_stored(sequence, outcome),
            None => pending().await,
        }
    }

    fn is_stored(&mut self, sequence: u64, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => {
                // It may have been dropped meanwhile, to make room.
                if let Some(entry) = self.waiting.get_mut(sequence) {
                    entry.kept = Kept::Stored;
                    entry.reply.accept();
                }
            }
            Err(error) => {
                if let Some(entry) = self.waiting.remove_first(|entry| entry.sequence == sequence) {
                    entry.reply.answer(Err(error));
                }
            }
        }
    }

    /// Closes the message store, which others may then open.
    pub(crate) async fn close(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        for (sequence, outcome) in disk.close().await {
            self.is_stored(sequence, outcome);
        }
    }

    fn prune(&mut self) {
        if self.waiting.len() >= self.prune_at {
            self.waiting.forget_abandoned();
            self.prune_at = (2 * self.waiting.len()).max(Self::PRUNE);
        }
    }

    fn admit(&mut self, action: &Action, dropped: &mut Vec<String>) -> Result<(), Error> {
        match action {
            Action::Publish(message) => self.make_room(message, dropped),
            Action::Subscribe { filter, .. } if self.too_many_subscriptions(filter) => {
                Err(Error::OperationInvalid {
                    operation: action.operation(),
                    source: "AWS IoT Core takes no more subscriptions of a connection".into(),
                })
            }
            Action::Subscribe { .. } | Action::Unsubscribe { .. } => Ok(()),
        }
    }

    fn too_many_subscriptions(&self, filter: &String) -> bool {
        let Some(maximum) = self.options.quotas.subscriptions else { return false };
        let waiting = self.waiting.iter().filter(|entry| !entry.is_abandoned());
        let asked = waiting.chain(self.in_flight.values()).filter_map(|entry| match &entry.action {
            Action::Subscribe { filter, .. } => Some(filter),
            _ => None,
        });
        let filters: HashSet<_> = self.subscriptions.filters().chain(asked).collect();
        filters.len() >= maximum && !filters.contains(filter)
    }

    /// Makes room for a message, as [`WhenFull`] says. The topics of those that had to go are added to `dropped`.
    fn make_room(&mut self, message: &Message, dropped: &mut Vec<String>) -> Result<(), Error> {
        let limits = self.options.queue;
        if !self.waiting.usage().is_full(message, &limits) {
            return Ok(());
        }
        self.waiting.forget_abandoned();
        let waiting = self.waiting.usage().messages();
        let full = |message: &Message| Error::QueueFull { operation: Operation::publish(message), waiting };
        let mut oldest = Vec::new();
        while self.waiting.usage().is_full(message, &limits) {
            let next = match limits.when_full {
                WhenFull::DropOldest if message.size() <= limits.bytes => self.waiting.remove_oldest_unsent(),
                WhenFull::DropOldest | WhenFull::RefuseNew => None,
            };
            let Some(next) = next else {
                // The messages that were sent leave no room, so none of the others has to go.
                oldest.into_iter().for_each(|entry| self.waiting.insert(entry));
                return Err(full(message));
            };
            oldest.push(next);
        }
        for entry in oldest {
            let Action::Publish(message) = &entry.action else { continue };
            let (topic, full) = (message.topic.clone(), full(message));
            self.dropped += 1;
            self.finish(entry, Err(full));
            dropped.push(topic);
        }
        Ok(())
    }

    /// Returns whether there is nothing more to send, or to wait for.
    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.iter().all(Entry::is_abandoned)
    }

    /// Messages that the broker has not acknowledged: those that end with this process, and those that do not.
    pub(crate) fn undelivered(&self) -> (usize, usize) {
        // The callers of those that were abandoned know of it.
        let waiting = self.waiting.iter().filter(|entry| !entry.is_abandoned());
        let entries = waiting.chain(self.in_flight.values());
        let messages = entries.filter(|entry| matches!(entry.action, Action::Publish(_)));
        let (stored, lost): (Vec<_>, Vec<_>) = messages.partition(|entry| entry.kept == Kept::Stored);
        (lost.len(), stored.len())
    }

    /// Notes what there is to tell of it.
    pub(crate) fn report(&self, status: &mut Status) {
        status.queued = self.waiting.usage().messages();
        status.in_flight = self.in_flight.len();
        status.published = self.published;
        status.dropped = self.dropped;
    }

    /// Sends queued actions until the in-flight window or a quota is exhausted. An action that the broker's limits rule
    /// out fails, a stored message too (one of an earlier run is logged): in the store it would come up in each run.
    ///
    /// # Errors
    ///
    /// The limits rule out a subscription to renew, which the application counts on.
    pub(crate) fn send(&mut self, session: &Session, window: usize) -> Result<(), Error> {
        while let Some(mut entry) = self.next(window)? {
            let id = self.next_id;
            self.next_id += 1;
            let mut none = Aliases::default();
            let aliases =
                if limits::allow_alias(&self.limits, &entry.action) { &mut self.aliases } else { &mut none };
            self.answers.push(session.send(aliases, &entry.action, id));
            entry.sent = true;
            self.in_flight.insert(id, entry);
        }
        Ok(())
    }

    /// Takes out what may be sent now.
    fn next(&mut self, window: usize) -> Result<Option<Entry>, Error> {
        self.rate_limited_until = None;
        loop {
            let Some(front) = self.waiting.front() else { return Ok(None) };
            if front.is_abandoned() {
                self.waiting.pop_front();
                continue;
            }
            let window = if self.suspect.wants_alone(front.sequence) { 1 } else { window };
            if front.kept == Kept::Storing || self.in_flight.len() >= window {
                return Ok(None);
            }
            if let Err(limit) = limits::check(&self.limits, &front.action) {
                let (target, operation) = (self.options.dialer.target(), front.action.operation());
                let error = Error::BeyondLimit { target, operation, limit: Box::new(limit) };
                if front.sequence == Entry::RENEWED {
                    return Err(error);
                }
                if let Some(entry) = self.waiting.pop_front() {
                    self.finish(entry, Err(error));
                }
                continue;
            }
            if let Action::Publish(message) = &front.action
                && let Err(allowed) = self.rate_limiter.try_acquire(Instant::now(), message.size())
            {
                self.rate_limited_until = Some(allowed);
                return Ok(None);
            }
            return Ok(self.waiting.pop_front());
        }
    }

    /// The moment from which the quotas allow the next message, if one waits for that.
    pub(crate) fn rate_limited_until(&self) -> Option<Instant> {
        self.rate_limited_until
    }

    /// Waits for the next answer of the broker's, and passes on all that are there, or for the message store's next.
    ///
    /// # Errors
    ///
    /// The broker refused to renew a subscription, which the application counts on.
    pub(crate) async fn progress(&mut self) -> Result<(), Error> {
        let Self { answers, disk, .. } = self;
        tokio::select! {
            Some((id, outcome)) = answers.next() => {
                let settled = self.settle(id, outcome);
                settled.and(self.settle_answered())
            }
            Some((sequence, outcome)) = outcome(disk) => {
                self.is_stored(sequence, outcome);
                Ok(())
            }
            else => pending().await,
        }
    }

    /// Passes on the answers that are there.
    fn settle_answered(&mut self) -> Result<(), Error> {
        let mut settled = Ok(());
        while let Some(Some((id, outcome))) = self.answers.next().now_or_never() {
            settled = settled.and(self.settle(id, outcome));
        }
        settled
    }

    /// A connection has ended: what has no answer waits for the next one.
    ///
    /// # Errors
    ///
    /// As [`progress`](Self::progress).
    pub(crate) fn connection_lost(&mut self, error: &Error) -> Result<(), Error> {
        // Answers that came before the end count.
        let renewed = self.settle_answered();
        self.answers.clear();
        let oldest = self.in_flight.values().min_by_key(|entry| entry.sequence);
        let oldest = oldest.map(|entry| (entry.sequence, entry.action.operation()));
        let newest = self.in_flight.values().map(|entry| entry.sequence).max();
        for entry in mem::take(&mut self.in_flight).into_values() {
            self.wait_again(entry);
        }
        match oldest.zip(newest).filter(|_| blames_an_action(error)) {
            Some((oldest, newest)) => renewed.and(self.blame(oldest, newest, error)),
            None => renewed,
        }
    }

    /// The broker has closed the connection while `oldest`, the action with the sequence `newest`, and some in between
    /// were without an answer.
    fn blame(&mut self, oldest: (u64, Operation), newest: u64, error: &Error) -> Result<(), Error> {
        let (sequence, operation) = oldest;
        if !self.suspect.blame(sequence, &operation, newest) {
            return Ok(());
        }
        let code = if let Error::Disconnected { code, .. } = error { *code } else { None };
        let target = self.options.dialer.target();
        let error = Error::OperationClosesConnection { target, operation, code };
        if sequence == Entry::RENEWED {
            return Err(error);
        }
        // It is among the first: it has been put back in its place.
        if let Some(entry) = self.waiting.remove_first(|entry| entry.sequence == sequence) {
            self.finish(entry, Err(error));
        }
        Ok(())
    }

    /// A connection has been made, to a broker with these limits. Without the session the subscriptions are renewed,
    /// before anything else: what the application publishes may be what it listens for.
    pub(crate) fn connected(&mut self, session_present: bool, limits: BrokerLimits) {
        self.limits = limits;
        self.aliases = Aliases::new(limits.topic_alias_maximum.unwrap_or(0).min(self.options.topic_aliases));
        if session_present {
            // A renewal that was cut off is made now, unless the application has unsubscribed meanwhile.
            let subscriptions = &self.subscriptions;
            self.waiting.retain(|entry| match &entry.action {
                Action::Subscribe { filter, .. } if entry.sequence == Entry::RENEWED => {
                    subscriptions.filters().any(|known| known == filter)
                }
                _ => true,
            });
            return;
        }
        self.waiting.retain(|entry| entry.sequence != Entry::RENEWED);
        for action in self.subscriptions.renewals().rev() {
            let (sequence, reply) = (Entry::RENEWED, Reply::Nobody);
            self.waiting.push_front(Entry { sequence, action, reply, kept: Kept::InMemory, sent: false });
        }
    }

    /// Puts an action back in its place, to be sent on the next connection.
    fn wait_again(&mut self, entry: Entry) {
        if matches!(&entry.action, Action::Publish(message) if message.qos == QoS::AtMostOnce) {
            let (target, operation) = (self.options.dialer.target(), entry.action.operation());
            return self.finish(entry, Err(Error::OperationLost { target, operation }));
        }
        self.waiting.insert(entry);
    }

    /// Answers an action, of which nothing is kept from now on.
    fn finish(&mut self, entry: Entry, outcome: Result<(), Error>) {
        if outcome.is_ok() && matches!(entry.action, Action::Publish(_)) {
            self.published += 1;
        }
        if let (Reply::Nobody, Err(error)) = (&entry.reply, &outcome) {
            log::warn!("{error}");
        }
        if let (Some(disk), Kept::Storing | Kept::Stored) = (&self.disk, entry.kept) {
            disk.remove(entry.sequence);
        }
        entry.reply.answer(outcome);
    }

    fn settle(&mut self, id: u64, answer: Answer) -> Result<(), Error> {
        // The two are filled and emptied together.
        let Some(entry) = self.in_flight.remove(&id) else { return Ok(()) };
        if matches!(answer, Ok(()) | Err(OperationFailure::Refused { .. })) {
            self.suspect.answered(&entry);
        }
        let error = match answer {
            Ok(()) => {
                // A renewal changes nothing, and its answer may be seen after that of an unsubscribe.
                if entry.sequence != Entry::RENEWED {
                    self.subscriptions.granted(&entry.action);
                }
                self.finish(entry, Ok(()));
                return Ok(());
            }
            Err(OperationFailure::Refused { code, reason_string }) => Error::OperationRefused {
                target: self.options.dialer.target(),
                operation: entry.action.operation(),
                code,
                reason_string,
            },
            // The end of the connection follows, and then all that is in flight is taken back.
            Err(OperationFailure::ConnectionLost) => {
                self.in_flight.insert(id, entry);
                return Ok(());
            }
            Err(OperationFailure::Invalid(source)) => {
                Error::OperationInvalid { operation: entry.action.operation(), source }
            }
        };
        if entry.sequence == Entry::RENEWED {
            // If the client goes on, it is asked for again.
            self.wait_again(entry);
            return Err(error);
        }
        self.finish(entry, Err(error));
        Ok(())
    }
}
