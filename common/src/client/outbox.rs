//! What the application has asked for and the broker has not answered yet.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use paho_mqtt as paho;
use tokio::sync::oneshot;

use super::{ClientOptions, Message, MqttVersion, Operation, QoS, ReasonCode};
use crate::error::Error;

/// Where the outcome of a command goes.
pub(super) type Reply = oneshot::Sender<Result<(), Error>>;

/// What a [`Client`](super::Client) asks of its driver.
#[derive(Debug)]
pub(super) enum Command {
    Perform(Action, Reply),
    Disconnect(Reply),
}

/// Something that the broker has to acknowledge.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Publish(Message),
    Subscribe { filter: String, qos: QoS },
    Unsubscribe { filter: String },
}

impl Action {
    pub(super) fn operation(&self) -> Operation {
        match self {
            Action::Publish(message) => Operation::Publish { topic: message.topic.clone() },
            Action::Subscribe { filter, .. } => Operation::Subscribe { filter: filter.clone() },
            Action::Unsubscribe { filter } => Operation::Unsubscribe { filter: filter.clone() },
        }
    }

    /// What no broker takes, and what the MQTT library cannot carry: it keeps topics as C strings.
    pub(super) fn check(&self) -> Result<(), Error> {
        let problem = match self {
            Action::Publish(message) if message.topic.contains(['+', '#']) => {
                "a topic name holds no wildcard (MQTT 5.0 §4.7.1)"
            }
            Action::Publish(Message { topic: text, .. })
            | Action::Subscribe { filter: text, .. }
            | Action::Unsubscribe { filter: text } => match text.as_str() {
                "" => "it is empty (MQTT 5.0 §4.7.3)",
                text if text.contains('\0') => "it contains U+0000 (MQTT 5.0 §1.5.4)",
                text if text.len() > usize::from(u16::MAX) => {
                    "it is longer than 65,535 bytes (MQTT 5.0 §4.7.3)"
                }
                _ => return Ok(()),
            },
        };
        Err(Error::OperationInvalid { operation: self.operation(), source: problem.into() })
    }
}

/// Actions in the order in which they were asked for, each kept until it is answered, so that it can be sent
/// again on the next connection.
pub(super) struct Outbox {
    options: Arc<ClientOptions>,
    waiting: VecDeque<Entry>,
    /// By the order of sending.
    in_flight: BTreeMap<u64, Entry>,
    answers: FuturesUnordered<BoxFuture<'static, (u64, Result<(), paho::Error>)>>,
    next_id: u64,
    /// Filters to renew when the broker has lost the session.
    subscriptions: Vec<(String, QoS)>,
    /// paho holds a message that must not be sent again.
    poisoned: bool,
}

struct Entry {
    action: Action,
    /// `None` for a subscription that is being renewed.
    reply: Option<Reply>,
    /// How many connections in a row ended while this was the oldest without an answer.
    losses: u32,
}

impl Outbox {
    /// A broker that cannot say no (MQTT 3.1.1 has no code for it) closes the connection. One close can be the
    /// network's fault; this many in a row, with nothing acknowledged between them, are the answer.
    const CLOSES: u32 = 3;

    pub(super) fn new(options: Arc<ClientOptions>) -> Self {
        Self {
            options,
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            answers: FuturesUnordered::new(),
            next_id: 0,
            subscriptions: Vec::new(),
            poisoned: false,
        }
    }

    pub(super) fn push(&mut self, action: Action, reply: Reply) {
        self.waiting.push_back(Entry { action, reply: Some(reply), losses: 0 });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Whether the next connection must not resume paho's session.
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Sends what waits, as far as `window` reaches.
    pub(super) fn send(&mut self, client: &paho::AsyncClient, window: usize) {
        while self.in_flight.len() < window {
            let Some(entry) = self.waiting.pop_front() else { return };
            // Nobody waits for it any more: its time is over.
            if entry.reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            self.answers.push(send(client, &entry.action, id));
            self.in_flight.insert(id, entry);
        }
    }

    /// Waits for the next answer and passes it on.
    ///
    /// # Errors
    ///
    /// The broker refused to renew a subscription, which the application counts on.
    pub(super) async fn answer(&mut self) -> Result<(), Error> {
        match self.answers.next().await {
            Some((id, outcome)) => self.settle(id, outcome),
            None => pending().await,
        }
    }

    /// A connection has ended. Publishes stay with paho, which sends them again if the session is still there.
    /// `code` is what the broker said, if it said anything.
    pub(super) fn connection_lost(&mut self, code: Option<ReasonCode>) {
        let poison = self.in_flight.iter_mut().next().and_then(|(id, oldest)| {
            oldest.losses += 1;
            (oldest.losses >= Self::CLOSES).then_some(*id)
        });
        if let Some(entry) = poison.and_then(|id| self.in_flight.remove(&id)) {
            self.poisoned = true;
            let error = Error::OperationClosesConnection {
                target: self.options.dialer.target(),
                operation: entry.action.operation(),
                code,
            };
            entry.answer(Err(error));
        }
        // Only QoS 1 publishes belong to a session's state (MQTT 5.0 §4.1).
        self.requeue(|action| !matches!(action, Action::Publish(Message { qos: QoS::AtLeastOnce, .. })));
    }

    /// A connection has been made. Without the session all that was in flight is sent again, after the
    /// subscriptions: what the application publishes may be what it listens for.
    pub(super) fn connected(&mut self, session_present: bool) {
        if session_present {
            return;
        }
        self.poisoned = false;
        self.requeue(|_| true);
        self.answers.clear();
        for (filter, qos) in self.subscriptions.iter().rev() {
            let action = Action::Subscribe { filter: filter.clone(), qos: *qos };
            self.waiting.push_front(Entry { action, reply: None, losses: 0 });
        }
    }

    fn requeue(&mut self, which: impl Fn(&Action) -> bool) {
        let ids: Vec<u64> =
            self.in_flight.iter().filter(|(_, entry)| which(&entry.action)).map(|(id, _)| *id).collect();
        for id in ids.into_iter().rev() {
            let Some(entry) = self.in_flight.remove(&id) else { continue };
            // Renewed subscriptions are made anew with each session.
            if entry.reply.is_some() {
                self.waiting.push_front(entry);
            }
        }
    }

    fn settle(&mut self, id: u64, outcome: Result<(), paho::Error>) -> Result<(), Error> {
        // An answer to something that has been queued again does not count.
        let Some(entry) = self.in_flight.remove(&id) else { return Ok(()) };
        let target = self.options.dialer.target();
        let operation = entry.action.operation();
        let error = match outcome {
            Ok(()) => {
                self.remember(&entry.action);
                self.forgive();
                entry.answer(Ok(()));
                return Ok(());
            }
            Err(paho::Error::ReasonCode(code, properties)) => Error::OperationRefused {
                target,
                operation,
                code: ReasonCode::new(code as u8, self.options.mqtt_version),
                reason_string: properties.get_string(paho::PropertyCode::ReasonString),
            },
            Err(error) if is_connection_loss(&error) => {
                if let Action::Publish(Message { qos: QoS::AtMostOnce, .. }) = entry.action {
                    // QoS 0 is sent once.
                    Error::OperationInvalid { operation, source: Box::new(error) }
                } else {
                    self.waiting.push_front(entry);
                    return Ok(());
                }
            }
            Err(error) => match refused_on_v311(&entry.action, &error, self.options.mqtt_version) {
                Some(code) => Error::OperationRefused { target, operation, code, reason_string: None },
                None => Error::OperationInvalid { operation, source: Box::new(error) },
            },
        };
        if entry.reply.is_none() {
            return Err(error);
        }
        entry.answer(Err(error));
        Ok(())
    }

    /// The connection works: what ended the ones before was not the oldest action.
    fn forgive(&mut self) {
        if let Some(oldest) = self.in_flight.values_mut().next() {
            oldest.losses = 0;
        }
    }

    fn remember(&mut self, action: &Action) {
        match action {
            Action::Publish(_) => {}
            Action::Subscribe { filter, qos } => {
                self.subscriptions.retain(|(known, _)| known != filter);
                self.subscriptions.push((filter.clone(), *qos));
            }
            Action::Unsubscribe { filter } => self.subscriptions.retain(|(known, _)| known != filter),
        }
    }
}

impl Entry {
    fn answer(self, outcome: Result<(), Error>) {
        if let Some(reply) = self.reply {
            // The caller may have stopped waiting.
            let _ = reply.send(outcome);
        }
    }
}

fn send(
    client: &paho::AsyncClient,
    action: &Action,
    id: u64,
) -> BoxFuture<'static, (u64, Result<(), paho::Error>)> {
    let qos = |qos: QoS| match qos {
        QoS::AtMostOnce => paho::QoS::AtMostOnce,
        QoS::AtLeastOnce => paho::QoS::AtLeastOnce,
    };
    match action {
        Action::Publish(message) => {
            let message = paho::MessageBuilder::new()
                .topic(message.topic.as_str())
                .payload(message.payload.as_slice())
                .qos(qos(message.qos))
                .retained(message.retain)
                .finalize();
            let token = client.publish(message);
            Box::pin(async move { (id, token.await) })
        }
        Action::Subscribe { filter, qos: maximum } => {
            let token = client.subscribe(filter.as_str(), qos(*maximum));
            Box::pin(async move { (id, token.await.and_then(granted)) })
        }
        Action::Unsubscribe { filter } => {
            let token = client.unsubscribe(filter.as_str());
            Box::pin(async move { (id, token.await.map(drop)) })
        }
    }
}

/// paho counts a SUBACK as a success even if it says no.
fn granted(response: paho::ServerResponse) -> Result<(), paho::Error> {
    const FAILURE: i32 = 0x80;
    let code = response.reason_code();
    if code.is_err() {
        return Err(paho::Error::ReasonCode(code, response.properties().clone()));
    }
    match response.subscribe_response() {
        Some(granted) if granted >= FAILURE => {
            Err(paho::Error::ReasonCode(paho::ReasonCode::UnspecifiedError, paho::Properties::new()))
        }
        _ => Ok(()),
    }
}

/// Whether an action failed because its connection ended, so that the next connection may carry it.
fn is_connection_loss(error: &paho::Error) -> bool {
    matches!(
        error,
        paho::Error::OperationIncomplete | paho::Error::Disconnected | paho::Error::MaxBufferedMessages
    ) || matches!(error, paho::Error::Publish(code, _) if matches!(
        paho::Error::from_return_code(*code),
        paho::Error::OperationIncomplete | paho::Error::Disconnected | paho::Error::MaxBufferedMessages
    ))
}

/// On MQTT 3.1.1 paho reports a refused subscription as a nameless failure.
fn refused_on_v311(action: &Action, error: &paho::Error, version: MqttVersion) -> Option<ReasonCode> {
    let refused = matches!(action, Action::Subscribe { .. })
        && matches!(error, paho::Error::Failure)
        && version == MqttVersion::V311;
    refused.then(|| ReasonCode::new(0x80, version))
}
