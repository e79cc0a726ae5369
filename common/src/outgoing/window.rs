use std::collections::VecDeque;
use std::future::pending;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Messages;
use super::lines::Lines;
use crate::client::{ClientOptions, Delivery, Event, Message, Operation, QoS, QueueLimits, WhenFull};
use crate::error::Error;
use crate::printable::one_line;

/// The messages under way: taken over by the client and not yet acknowledged, or acknowledged and not yet back from
/// the broker.
#[derive(Debug)]
pub(super) struct Window {
    /// How many while there is a connection. Without one the queue's limits decide.
    at_once: usize,
    /// Whether the broker sends them back to this client.
    come_back: bool,
    in_flight: usize,
    queue: QueueLimits,
    target: String,
    connected: bool,
    unacknowledged: VecDeque<Entry>,
    /// Of the unacknowledged ones.
    bytes: usize,
    /// Acknowledged, and not back yet.
    awaited: VecDeque<Message>,
    /// When one of the awaited was last heard of.
    heard: Instant,
    /// The broker, or the end of the client, has refused them.
    undelivered: VecDeque<Message>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    delivery: Delivery,
    outcome: Option<Result<(), Error>>,
    /// It came back before its acknowledgement did.
    back: Option<Message>,
}

impl Window {
    /// How long a message may take to come back after its acknowledgement, while there is a connection.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// None of `messages` yet, for a client with these options.
    pub(super) fn new(options: &ClientOptions, messages: &Messages) -> Self {
        let in_flight = options.max_in_flight.max(1);
        Self {
            at_once: messages.at_once(in_flight),
            come_back: messages.come_back(),
            in_flight,
            queue: options.queue,
            target: options.dialer.target(),
            connected: true,
            unacknowledged: VecDeque::new(),
            bytes: 0,
            awaited: VecDeque::new(),
            heard: Instant::now(),
            undelivered: VecDeque::new(),
        }
    }

    /// Whether no message is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.unacknowledged.is_empty() && self.awaited.is_empty()
    }

    /// Whether another message may be published now.
    pub(super) fn has_room(&self) -> bool {
        let under_way = self.unacknowledged.len() + self.awaited.len();
        let limit = match self.connected {
            true => self.at_once.min(self.queue.messages),
            // The client makes room.
            false if self.queue.when_full == WhenFull::DropOldest => return true,
            false => self.queue.messages,
        };
        under_way == 0 || under_way < limit && self.bytes + Lines::LONGEST <= self.queue.bytes
    }

    /// Adds a message that the client was given.
    ///
    /// # Errors
    ///
    /// Why the client has not taken it.
    pub(super) fn add(&mut self, message: Message, taken: Result<Delivery, Error>) -> Result<(), Error> {
        let delivery = match taken {
            Ok(delivery) => delivery,
            Err(error) => {
                self.undelivered.push_back(message);
                return Err(error);
            }
        };
        self.bytes += size(&message);
        self.unacknowledged.push_back(Entry { message, delivery, outcome: None, back: None });
        if self.unacknowledged.len() > 2 * self.queue.messages + self.in_flight
            || self.bytes > 2 * self.queue.bytes
        {
            self.forget_dropped();
        }
        Ok(())
    }

    /// Waits for the next acknowledgement, in the order of publishing: the message, and what the broker has sent back if
    /// that came first. Without any message under way it waits for ever. Nothing is lost when the call is given up.
    ///
    /// # Errors
    ///
    /// Those of [`Client::publish`](crate::Client::publish), and [`Error::OperationTimeout`] when a message has not come back in time.
    pub(super) async fn acknowledged(&mut self) -> Result<(Message, Option<Message>), Error> {
        loop {
            let overdue = self.heard + Self::PATIENCE;
            tokio::select! {
                biased;
                () = first_outcome(&mut self.unacknowledged) => {}
                () = sleep_until(overdue), if self.connected && !self.awaited.is_empty() => {
                    return Err(self.not_back());
                }
            }
            let Some(entry) = self.unacknowledged.pop_front() else { continue };
            self.bytes -= size(&entry.message);
            match entry.outcome {
                // The client has warned of it.
                Some(Err(error)) if self.is_drop(&error) => {}
                Some(Err(error)) => {
                    self.undelivered.push_back(entry.message);
                    return Err(error);
                }
                _ => {
                    if self.come_back && entry.back.is_none() {
                        self.heard = Instant::now();
                        self.awaited.push_back(entry.message.clone());
                    }
                    return Ok((entry.message, entry.back));
                }
            }
        }
    }

    /// Takes an event of the client's. A message comes out again, now, or with its own acknowledgement when it has
    /// overtaken that.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] when there will be no other event.
    pub(super) fn event(&mut self, event: Option<Event>) -> Result<Option<Message>, Error> {
        match event {
            Some(Event::Message(message)) => return Ok(self.came(message)),
            Some(Event::Connected { session_present, .. }) => {
                self.connected = true;
                self.heard = Instant::now();
                if !session_present {
                    self.forget_awaited(|_| true);
                }
            }
            Some(Event::Disconnected { .. }) => {
                self.connected = false;
                self.forget_awaited(|message| message.qos == QoS::AtMostOnce);
            }
            Some(Event::Stopped { error }) => return Err(Error::Stopped { source: error }),
            None => return Err(Error::Stopped { source: None }),
            Some(_) => {}
        }
        Ok(None)
    }

    /// What was acknowledged while nobody asked, as [`acknowledged`](Self::acknowledged) has it; the log names what was
    /// not.
    pub(super) fn settle(&mut self) -> Vec<(Message, Option<Message>)> {
        let mut delivered = Vec::new();
        for mut entry in mem::take(&mut self.unacknowledged) {
            entry.look();
            match entry.outcome {
                Some(Ok(())) => delivered.push((entry.message, entry.back)),
                Some(Err(error)) if self.is_drop(&error) => {}
                _ => self.undelivered.push_back(entry.message),
            }
        }
        if let Some(first) = self.undelivered.front() {
            let more = match self.undelivered.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            log::warn!("not acknowledged: {}{more}", shown(first));
        }
        delivered
    }

    fn came(&mut self, message: Message) -> Option<Message> {
        // What the broker had kept was published before.
        if !self.come_back || message.retain {
            return Some(message);
        }
        let is_it = |own: &Message| own.topic == message.topic && own.payload == message.payload;
        if let Some(index) = self.awaited.iter().position(is_it) {
            self.awaited.remove(index);
            self.heard = Instant::now();
            return Some(message);
        }
        match self.unacknowledged.iter_mut().find(|entry| entry.back.is_none() && is_it(&entry.message)) {
            Some(entry) => {
                entry.back = Some(message);
                None
            }
            None => Some(message),
        }
    }

    /// No longer waits for what the end of a connection may have lost on its way back.
    fn forget_awaited(&mut self, is_lost: impl Fn(&Message) -> bool) {
        let before = self.awaited.len();
        self.awaited.retain(|message| !is_lost(message));
        let lost = before - self.awaited.len();
        if lost > 0 {
            log::warn!(
                "messages that the broker has taken, and that may not come back after the reconnect: {lost}"
            );
        }
    }

    /// The client has dropped some that are not the first, which are acknowledged in their turn.
    fn forget_dropped(&mut self) {
        let all = mem::take(&mut self.unacknowledged);
        for mut entry in all {
            entry.look();
            match &entry.outcome {
                Some(Err(error)) if self.is_drop(error) => {
                    self.bytes -= size(&entry.message);
                }
                _ => self.unacknowledged.push_back(entry),
            }
        }
    }

    fn is_drop(&self, error: &Error) -> bool {
        self.queue.when_full == WhenFull::DropOldest && matches!(error, Error::QueueFull { .. })
    }

    fn not_back(&self) -> Error {
        let topic = self.awaited.front().map(|message| message.topic.clone()).unwrap_or_default();
        let operation = Operation::Receive { topic };
        Error::OperationTimeout { target: self.target.clone(), operation, after: Self::PATIENCE }
    }
}

impl Entry {
    /// Notes the outcome if there is one.
    fn look(&mut self) {
        // An outcome can be taken once.
        if self.outcome.is_none() {
            self.outcome = now(Pin::new(&mut self.delivery));
        }
    }
}

/// What a future has come to already.
pub(super) fn now<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Waits until the first entry has its outcome; for ever if there is none.
async fn first_outcome(entries: &mut VecDeque<Entry>) {
    match entries.front_mut() {
        Some(Entry { outcome: Some(_), .. }) => {}
        Some(Entry { delivery, outcome, .. }) => *outcome = Some(delivery.await),
        None => pending().await,
    }
}

fn size(message: &Message) -> usize {
    message.topic.len() + message.payload.len()
}

/// Enough of a message to know it by.
fn shown(message: &Message) -> String {
    const LENGTH: usize = 60;
    let payload: String = String::from_utf8_lossy(&message.payload).chars().take(LENGTH).collect();
    one_line(&format!("{}: {payload}", message.topic))
}
