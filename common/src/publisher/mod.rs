//! What a program publishes: where its messages come from, and what becomes of those under way.

mod lines;
mod messages;
mod shared_group;

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep, sleep_until};

pub use self::lines::LineError;
pub use self::messages::Messages;
pub use self::shared_group::SharedGroup;
use iot_client::{Client, Delivery, Error as ClientError, Event, Events, Message, Operation, QoS};
use iot_transport::text::one_line;

use crate::error::Error;
use crate::failure::Failure;

/// Publishes messages as fast as they come and the client takes them, and waits for each: for its acknowledgement, and
/// where the client has subscribed to its topic until the broker has sent it back. What is under way is bounded, so a
/// program that goes on for years stays as small as it was.
///
/// When it is dropped the log names what was not acknowledged.
#[derive(Debug)]
pub struct Publisher {
    messages: Messages,
    client: Client,
    events: Events,
    /// How many may be under way while there is a connection. Without one the client's queue decides.
    at_once: usize,
    connected: bool,
    /// How many messages there were, so that each has a number.
    count: u64,
    /// The last one, until the client has it. Kept here so that a call that is given up loses track of none.
    handing_over: FuturesUnordered<BoxFuture<'static, Result<Delivery, ClientError>>>,
    deliveries: FuturesUnordered<BoxFuture<'static, (u64, Result<(), ClientError>)>>,
    /// By number, and so in the order of publishing.
    unacknowledged: BTreeMap<u64, Entry>,
    /// Refused by the client, by the broker, or by the end of the client.
    undelivered: Vec<Message>,
    /// Acknowledged, and not back yet.
    awaited: VecDeque<Message>,
    /// When one of the awaited was last heard of.
    heard: Instant,
    /// What is to be told next.
    traffic: VecDeque<Traffic>,
}

/// What passes between a program and the broker.
#[derive(Debug, Clone)]
pub enum Traffic {
    /// The broker has acknowledged a message, or it was sent with QoS 0.
    Published(Message),
    /// The broker has sent one: our own, or somebody else's.
    Received(Message),
}

#[derive(Debug)]
struct Entry {
    message: Message,
    acknowledged: bool,
    /// It came back before its acknowledgement did, and is told of after that.
    back: Option<Message>,
}

impl Publisher {
    /// How soon to ask again a client that had no room for a message.
    const NO_ROOM: Duration = Duration::from_millis(100);

    /// Publishes nothing yet. The client has a connection.
    #[must_use]
    pub fn new(messages: Messages, client: &Client, events: Events) -> Self {
        let options = client.options();
        Self {
            at_once: messages.at_once(options.max_in_flight).min(options.queue.messages).max(1),
            messages,
            client: client.clone(),
            events,
            connected: true,
            count: 0,
            handing_over: FuturesUnordered::new(),
            deliveries: FuturesUnordered::new(),
            unacknowledged: BTreeMap::new(),
            undelivered: Vec::new(),
            awaited: VecDeque::new(),
            heard: Instant::now(),
            traffic: VecDeque::new(),
        }
    }

    /// What has happened next; `None` when all messages are published and back. Messages are published in the order in
    /// which they come, and are published before they are received. A lost connection is waited out, and so is a full
    /// queue. Nothing is lost when the call is given up. The broker hears that a received message was taken when the
    /// next call begins.
    ///
    /// # Errors
    ///
    /// Those of [`Client::enqueue`] and [`Client::publish`], [`Error::Input`] when the messages cannot be read, and
    /// [`iot_client::Error::OperationTimeout`] when one has not come back [`Messages::PATIENCE`] after its acknowledgement.
    pub async fn next(&mut self) -> Result<Option<Traffic>, Error> {
        loop {
            if let Some(traffic) = self.traffic.pop_front() {
                return Ok(Some(traffic));
            }
            let under_way = self.unacknowledged.len() + self.awaited.len();
            if self.messages.is_done() && under_way == 0 {
                self.messages.finish();
                return Ok(None);
            }
            let is_room = self.handing_over.is_empty() && (under_way < self.at_once || !self.connected);
            let overdue = self.heard + Messages::PATIENCE;
            tokio::select! {
                biased;
                Some(taken) = self.handing_over.next() => self.taken(taken)?,
                Some((number, outcome)) = self.deliveries.next() => self.delivered(number, outcome)?,
                message = self.messages.next(), if is_room && !self.messages.is_done() => {
                    if let Some(message) = message? {
                        self.hand_over(message);
                    }
                }
                // Unread ones would hold acknowledgements up.
                event = self.events.next() => self.happened(event)?,
                () = sleep_until(overdue), if self.connected && !self.awaited.is_empty() => {
                    return Err(self.not_back());
                }
            }
        }
    }

    /// Disconnects the client, which waits for acknowledgements, and tells of what happens meanwhile: unread messages
    /// would hold the acknowledgements up. A `tell` that fails is called no more, and the client disconnects all the
    /// same.
    ///
    /// # Errors
    ///
    /// Those of [`Client::disconnect`], and `tell`'s; [`iot_client::Error::Undelivered`] for a message that the client, whose queue was
    /// full, has not taken over.
    pub async fn disconnect(
        &mut self,
        mut tell: impl FnMut(&Traffic) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut told = Ok(());
        let mut flush = |traffic: &mut VecDeque<Traffic>| {
            for traffic in traffic.drain(..) {
                if told.is_ok() {
                    told = tell(&traffic);
                }
            }
        };
        let mut not_taken = 0;
        let mut ended = pin!(self.client.clone().disconnect());
        let outcome = loop {
            flush(&mut self.traffic);
            // Why a message is not delivered any more is the error of the disconnect.
            let _ = tokio::select! {
                biased;
                Some(taken) = self.handing_over.next() => {
                    not_taken += usize::from(taken.is_err());
                    self.taken(taken)
                }
                Some((number, delivery)) = self.deliveries.next() => self.delivered(number, delivery),
                Some(event) = self.events.next() => self.happened(Some(event)),
                outcome = &mut ended => break outcome,
            };
        };
        // What they wait for in front of them will not be acknowledged any more.
        let acknowledged: Vec<_> =
            self.unacknowledged.extract_if(.., |_, entry| entry.acknowledged).collect();
        acknowledged.into_iter().for_each(|(_, entry)| self.published(entry));
        flush(&mut self.traffic);
        not_taken += self.handing_over.len();
        if outcome.is_ok() && not_taken > 0 {
            return Err(ClientError::Undelivered { target: self.client.target(), messages: not_taken }.into());
        }
        outcome.map_err(Error::from).and(told)
    }

    /// As [`Messages::outcome`], after the session and the [disconnect](Self::disconnect): what ended the session
    /// counts first, unless that was the user.
    ///
    /// # Errors
    ///
    /// Those of the two.
    pub fn outcome(
        &self,
        session: Result<(), Failure>,
        disconnect: Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.messages.outcome(session) {
            Err(failure) if !failure.is_interruption() => Err(failure),
            session => disconnect.and(session),
        }
    }

    fn hand_over(&mut self, message: Message) {
        let (client, own) = (self.client.clone(), message.clone());
        self.handing_over.push(Box::pin(async move {
            loop {
                match client.enqueue(own.clone()).await {
                    // With nothing else in the queue there will never be more room.
                    Err(ClientError::QueueFull { waiting: 1.., .. }) => sleep(Self::NO_ROOM).await,
                    taken => return taken,
                }
            }
        }));
        self.count += 1;
        self.unacknowledged.insert(self.count, Entry { message, acknowledged: false, back: None });
    }

    fn taken(&mut self, taken: Result<Delivery, ClientError>) -> Result<(), Error> {
        let number = self.count;
        match taken {
            Ok(delivery) => {
                self.deliveries.push(Box::pin(async move { (number, delivery.await) }));
                Ok(())
            }
            Err(error) => self.delivered(number, Err(error)),
        }
    }

    fn delivered(&mut self, number: u64, outcome: Result<(), ClientError>) -> Result<(), Error> {
        // The client has warned of it: it was the oldest in a queue that is full.
        let is_dropped = matches!(outcome, Err(ClientError::QueueFull { waiting: 1.., .. }));
        if outcome.is_err() {
            let refused = self.unacknowledged.remove(&number).filter(|_| !is_dropped);
            self.undelivered.extend(refused.map(|entry| entry.message));
        } else if let Some(entry) = self.unacknowledged.get_mut(&number) {
            entry.acknowledged = true;
        }
        while let Some(first) = self.unacknowledged.first_entry()
            && first.get().acknowledged
        {
            let entry = first.remove();
            self.published(entry);
        }
        if is_dropped { Ok(()) } else { Ok(outcome?) }
    }

    fn published(&mut self, Entry { message, back, .. }: Entry) {
        if self.messages.come_back() && back.is_none() {
            self.heard = Instant::now();
            self.awaited.push_back(message.clone());
        }
        self.traffic.push_back(Traffic::Published(message));
        self.traffic.extend(back.map(Traffic::Received));
    }

    fn happened(&mut self, event: Option<Event>) -> Result<(), Error> {
        match event {
            Some(Event::Message(message)) => self.came(message),
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
            Some(Event::Stopped { error }) => return Err(ClientError::Stopped { source: error }.into()),
            None => return Err(ClientError::Stopped { source: None }.into()),
            Some(_) => {}
        }
        Ok(())
    }

    fn came(&mut self, message: Message) {
        let is_it = |own: &Message| own.topic == message.topic && own.payload == message.payload;
        // What the broker had kept was published before.
        if self.messages.come_back() && !message.retain {
            if let Some(index) = self.awaited.iter().position(is_it) {
                self.awaited.remove(index);
                self.heard = Instant::now();
            } else if let Some(entry) =
                self.unacknowledged.values_mut().find(|entry| entry.back.is_none() && is_it(&entry.message))
            {
                entry.back = Some(message);
                return;
            }
        }
        self.traffic.push_back(Traffic::Received(message));
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

    fn not_back(&self) -> Error {
        let topic = self.awaited.front().map(|message| message.topic.clone()).unwrap_or_default();
        let operation = Operation::Receive { topic };
        ClientError::OperationTimeout { target: self.client.target(), operation, after: Messages::PATIENCE }
            .into()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let left =
            self.unacknowledged.values().filter(|entry| !entry.acknowledged).map(|entry| &entry.message);
        let mut lost = self.undelivered.iter().chain(left);
        if let Some(first) = lost.next() {
            let more = match lost.count() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            log::warn!("not acknowledged: {}{more}", shown(first));
        }
    }
}

/// Enough of a message to know it by.
fn shown(message: &Message) -> String {
    const LENGTH: usize = 60;
    let payload: String = String::from_utf8_lossy(&message.payload).chars().take(LENGTH).collect();
    one_line(&format!("{}: {payload}", message.topic))
}

#[cfg(test)]
mod tests {
    use iot_client::{Auth, ClientOptions};
    use iot_transport::{Endpoint, Identity, Roots};
    use sandbox::Sandbox;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_message_that_a_full_queue_has_not_taken_is_undelivered_at_the_end() {
        let mut sandbox = Sandbox::start().unwrap();
        let store = tempfile::tempdir().unwrap();
        let device = sandbox.device();
        let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
        let endpoint = Endpoint::parse(sandbox.endpoint()).unwrap().with_port(sandbox.mqtt_port());
        let roots = Roots::from_file(sandbox.ca_file());
        let mut options = ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, "test-1").unwrap();
        // The stored message is not lost; the one behind it is.
        options.persistence = Some(store.path().to_owned());
        options.queue.messages = 1;
        options.shutdown_timeout = Duration::ZERO;
        let (client, events) = Client::connect(options).await.unwrap();
        sandbox.stop();
        let messages = Messages::numbered(Message::new("test/topic", ""), "hi", None, Duration::ZERO);
        let mut publisher = Publisher::new(messages, &client, events);
        while publisher.count < 2 || publisher.handing_over.is_empty() {
            assert!(
                timeout(Duration::from_millis(10), publisher.next()).await.is_err(),
                "nothing is published"
            );
        }
        let error = publisher.disconnect(|_| Ok(())).await.unwrap_err();
        assert!(matches!(error, Error::Client(ClientError::Undelivered { messages: 1, .. })), "{error:?}");
    }
}
