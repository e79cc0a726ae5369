//! What the application has asked for and the broker has not answered yet.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use paho_mqtt as paho;
use tokio::sync::oneshot;

use super::action::{Action, Reply, is_connection_loss, refused_on_v311, send};
use super::{ClientOptions, Message, QoS, ReasonCode};
use crate::error::Error;

/// Actions in the order in which they were asked for, each kept until it is answered, so that it can be sent
/// again on the next connection.
pub(super) struct Outbox {
    options: Arc<ClientOptions>,
    /// By sequence.
    waiting: VecDeque<Entry>,
    /// By the order of sending.
    in_flight: BTreeMap<u64, Entry>,
    answers: FuturesUnordered<BoxFuture<'static, (u64, Result<(), paho::Error>)>>,
    next_id: u64,
    next_sequence: u64,
    /// Filters to renew when the broker has lost the session.
    subscriptions: Vec<(String, QoS)>,
    suspect: Option<Suspect>,
    /// paho holds a message that must not be sent again.
    poisoned: bool,
}

struct Entry {
    /// The order in which the application asked. Renewed subscriptions come first.
    sequence: u64,
    action: Action,
    /// `None` for a subscription that is being renewed.
    reply: Option<Reply>,
    /// Whether it was sent on this connection.
    sent: bool,
}

/// The oldest action that had no answer when a connection ended.
struct Suspect {
    sequence: u64,
    /// On how many connections in a row, with nothing acknowledged between them.
    closes: u32,
}

impl Outbox {
    /// A broker that cannot say no (MQTT 3.1.1 has no code for it) closes the connection. One close can be the
    /// network's fault; this many in a row are the answer.
    const CLOSES: u32 = 3;

    /// The sequence of renewed subscriptions.
    const RENEWED: u64 = 0;

    pub(super) fn new(options: Arc<ClientOptions>) -> Self {
        Self {
            options,
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            answers: FuturesUnordered::new(),
            next_id: 0,
            next_sequence: Self::RENEWED + 1,
            subscriptions: Vec::new(),
            suspect: None,
            poisoned: false,
        }
    }

    pub(super) fn push(&mut self, action: Action, reply: Reply) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.waiting.push_back(Entry { sequence, action, reply: Some(reply), sent: false });
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
            let Some(mut entry) = self.waiting.pop_front() else { return };
            // Nobody waits for it any more: its time is over.
            if entry.reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            entry.sent = true;
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
        // Only QoS 1 publishes belong to a session's state (MQTT 5.0 §4.1).
        self.requeue(|action| !matches!(action, Action::Publish(Message { qos: QoS::AtLeastOnce, .. })));

        let waiting = self.waiting.front().filter(|entry| entry.sent).map(|entry| entry.sequence);
        let in_flight = self.in_flight.values().next().map(|entry| entry.sequence);
        let oldest = match (waiting, in_flight) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.suspect = oldest.map(|sequence| match self.suspect.take() {
            Some(Suspect { sequence: known, closes }) if known == sequence => {
                Suspect { sequence, closes: closes + 1 }
            }
            _ => Suspect { sequence, closes: 1 },
        });
        if let Some(Suspect { sequence, closes: Self::CLOSES }) = self.suspect {
            self.refuse(sequence, code);
        }
    }

    /// Answers an action that the broker closes the connection on.
    fn refuse(&mut self, sequence: u64, code: Option<ReasonCode>) {
        let id = self.in_flight.iter().find(|(_, entry)| entry.sequence == sequence).map(|(id, _)| *id);
        let entry = match id {
            Some(id) => {
                self.poisoned = true;
                self.in_flight.remove(&id)
            }
            // It is the first: see `connection_lost`.
            None => self.waiting.pop_front(),
        };
        if let Some(entry) = entry {
            let error = Error::OperationClosesConnection {
                target: self.options.dialer.target(),
                operation: entry.action.operation(),
                code,
            };
            entry.answer(Err(error));
        }
    }

    /// A connection has been made. Without the session all that was in flight is sent again, after the
    /// subscriptions: what the application publishes may be what it listens for.
    pub(super) fn connected(&mut self, session_present: bool) {
        for entry in &mut self.waiting {
            if !entry.sent {
                break;
            }
            entry.sent = false;
        }
        if session_present {
            return;
        }
        self.poisoned = false;
        self.requeue(|_| true);
        self.answers.clear();
        for (filter, qos) in self.subscriptions.iter().rev() {
            let action = Action::Subscribe { filter: filter.clone(), qos: *qos };
            let renewed = Entry { sequence: Self::RENEWED, action, reply: None, sent: false };
            self.waiting.push_front(renewed);
        }
    }

    /// Takes actions back from what is in flight.
    fn requeue(&mut self, which: impl Fn(&Action) -> bool) {
        let taken: Vec<u64> =
            self.in_flight.iter().filter(|(_, entry)| which(&entry.action)).map(|(id, _)| *id).collect();
        for id in taken {
            if let Some(entry) = self.in_flight.remove(&id) {
                self.wait_again(entry);
            }
        }
    }

    /// Puts an action back in its place, to be sent on the next connection.
    fn wait_again(&mut self, entry: Entry) {
        if matches!(entry.action, Action::Publish(Message { qos: QoS::AtMostOnce, .. })) {
            let operation = entry.action.operation();
            let source = "the connection ended, and QoS 0 is sent once".into();
            return entry.answer(Err(Error::OperationInvalid { operation, source }));
        }
        // Subscriptions are renewed by each new session.
        if entry.reply.is_some() {
            let place = self.waiting.partition_point(|other| other.sequence < entry.sequence);
            self.waiting.insert(place, entry);
        }
    }

    fn settle(&mut self, id: u64, outcome: Result<(), paho::Error>) -> Result<(), Error> {
        // An answer to something that has been queued again does not count.
        let Some(entry) = self.in_flight.remove(&id) else { return Ok(()) };
        let target = self.options.dialer.target();
        let operation = entry.action.operation();
        let error = match outcome {
            Ok(()) => {
                // The connection works: it was not the oldest action that ended the ones before.
                self.suspect = None;
                self.remember(&entry.action);
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
                self.wait_again(entry);
                return Ok(());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::transport::{Auth, Roots};
    use crate::{CredentialSource, StaticCredentials};

    struct Fixture {
        outbox: Outbox,
        answers: Vec<oneshot::Receiver<Result<(), Error>>>,
    }

    impl Fixture {
        fn new() -> Self {
            let keys = CredentialSource::Static(StaticCredentials::new("id", "key", None));
            let auth = Auth::SigV4 { credentials: keys, region: "us-east-1".to_owned() };
            let endpoint = Endpoint::parse("localhost").unwrap();
            let options = ClientOptions::new(endpoint, auth, Roots::system(), "test-1").unwrap();
            Self { outbox: Outbox::new(Arc::new(options)), answers: Vec::new() }
        }

        fn push(&mut self, action: Action) {
            let (reply, answer) = oneshot::channel();
            self.outbox.push(action, reply);
            self.answers.push(answer);
        }

        /// Sends all that waits, without a broker.
        fn send(&mut self) {
            while let Some(mut entry) = self.outbox.waiting.pop_front() {
                entry.sent = true;
                self.outbox.in_flight.insert(self.outbox.next_id, entry);
                self.outbox.next_id += 1;
            }
        }

        fn waiting(&self) -> Vec<String> {
            self.outbox.waiting.iter().map(|entry| entry.action.operation().to_string()).collect()
        }
    }

    fn publish(topic: &str) -> Action {
        Action::Publish(Message::new(topic, ""))
    }

    fn subscribe(filter: &str) -> Action {
        Action::Subscribe { filter: filter.to_owned(), qos: QoS::AtLeastOnce }
    }

    #[test]
    fn a_lost_session_is_built_up_in_the_order_of_the_calls() {
        let mut fixture = Fixture::new();
        fixture.push(subscribe("s"));
        fixture.send();
        fixture.outbox.settle(0, Ok(())).unwrap();
        for topic in ["a", "b", "c"] {
            fixture.push(publish(topic));
        }
        fixture.send();
        fixture.push(publish("d"));
        // paho gives up some of them by itself, in any order.
        fixture.outbox.settle(3, Err(paho::Error::OperationIncomplete)).unwrap();
        fixture.outbox.settle(2, Err(paho::Error::Disconnected)).unwrap();
        fixture.outbox.connection_lost(None);
        fixture.outbox.connected(false);
        let expected = ["subscribe to s", "publish to a", "publish to b", "publish to c", "publish to d"];
        assert_eq!(fixture.waiting(), expected);
    }

    #[test]
    fn a_session_that_is_still_there_keeps_its_publishes() {
        let mut fixture = Fixture::new();
        fixture.push(publish("a"));
        fixture.push(subscribe("s"));
        fixture.send();
        fixture.outbox.connection_lost(None);
        fixture.outbox.connected(true);
        assert_eq!(fixture.waiting(), ["subscribe to s"]);
        assert_eq!(fixture.outbox.in_flight.len(), 1);
    }

    #[test]
    fn qos_0_is_sent_once() {
        let mut fixture = Fixture::new();
        let mut message = Message::new("a", "");
        message.qos = QoS::AtMostOnce;
        fixture.push(Action::Publish(message));
        fixture.send();
        fixture.outbox.connection_lost(None);
        assert!(fixture.answers[0].try_recv().unwrap().is_err());
        assert!(fixture.outbox.is_empty());
    }

    #[test]
    fn the_action_that_ends_three_connections_in_a_row_is_refused() {
        for session_present in [true, false] {
            let mut fixture = Fixture::new();
            fixture.push(publish("bad"));
            fixture.push(publish("good"));
            for _ in 0..3 {
                fixture.outbox.connected(session_present);
                fixture.send();
                fixture.outbox.connection_lost(None);
            }
            let refused = fixture.answers[0].try_recv().unwrap().unwrap_err();
            assert!(matches!(refused, Error::OperationClosesConnection { .. }), "{refused:?}");
            assert!(fixture.answers[1].try_recv().is_err(), "the other still waits");
            // paho would send it again with its session.
            assert!(fixture.outbox.is_poisoned());
            fixture.outbox.connected(false);
            assert_eq!(fixture.waiting(), ["publish to good"]);
        }
    }

    #[test]
    fn an_acknowledgement_between_two_closes_clears_the_suspect() {
        let mut fixture = Fixture::new();
        fixture.push(publish("slow"));
        for round in 0..10 {
            fixture.push(publish("quick"));
            fixture.outbox.connected(false);
            fixture.send();
            let quick = fixture.outbox.next_id - 1;
            fixture.outbox.settle(quick, Ok(())).unwrap();
            fixture.outbox.connection_lost(None);
            assert!(fixture.answers[0].try_recv().is_err(), "round {round}");
        }
    }

    #[test]
    fn a_refused_renewal_is_the_applications_business() {
        let mut fixture = Fixture::new();
        fixture.push(subscribe("s"));
        fixture.send();
        fixture.outbox.settle(0, Ok(())).unwrap();
        fixture.outbox.connected(false);
        fixture.send();
        let refused = paho::Error::ReasonCode(paho::ReasonCode::NotAuthorized, paho::Properties::new());
        let error = fixture.outbox.settle(1, Err(refused)).unwrap_err();
        assert!(error.is_permanent());
    }
}
