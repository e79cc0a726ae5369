//! What the application has asked for and the broker has not answered yet.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use paho_mqtt as paho;
use tokio::sync::oneshot;

use super::action::{Action, Reply, is_connection_loss, refused_on_v311, send};
use super::{ClientOptions, Message, QoS, ReasonCode};
use crate::error::Error;

/// Actions in the order in which they were asked for, each kept until it is answered, so that it can be sent
/// again on the next connection. paho's own memory ends with its connection.
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
    /// At which length `waiting` is looked through for what nobody waits for any more.
    prune_at: usize,
}

struct Entry {
    /// The order in which the application asked. Renewed subscriptions come first.
    sequence: u64,
    action: Action,
    /// `None` for a subscription that is being renewed.
    reply: Option<Reply>,
}

impl Entry {
    /// Whether its caller has stopped waiting.
    fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    fn answer(self, outcome: Result<(), Error>) {
        if let Some(reply) = self.reply {
            // The caller may have stopped waiting.
            let _ = reply.send(outcome);
        }
    }
}

/// The oldest action that had no answer when the broker closed a connection.
struct Suspect {
    sequence: u64,
    /// On how many connections in a row, with no answer between them.
    closes: u32,
}

impl Outbox {
    /// A broker that cannot say no (MQTT 3.1.1 has no code for it) closes the connection. One close can have
    /// another reason; this many in a row are the answer.
    const CLOSES: u32 = 3;

    /// The sequence of renewed subscriptions.
    const RENEWED: u64 = 0;

    /// The least number of waiting actions to look through.
    const PRUNE: usize = 64;

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
            prune_at: Self::PRUNE,
        }
    }

    pub(super) fn push(&mut self, action: Action, reply: Reply) {
        if self.waiting.len() >= self.prune_at {
            self.waiting.retain(|entry| !entry.is_abandoned());
            self.prune_at = (2 * self.waiting.len()).max(Self::PRUNE);
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.waiting.push_back(Entry { sequence, action, reply: Some(reply) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Sends what waits, as far as `window` reaches.
    pub(super) fn send(&mut self, client: &paho::AsyncClient, window: usize) {
        while self.in_flight.len() < window {
            let Some(entry) = self.waiting.pop_front() else { return };
            if entry.is_abandoned() {
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

    /// A connection has ended: what has no answer waits for the next one.
    pub(super) fn connection_lost(&mut self, error: &Error) {
        // Answers that came before the end count.
        while let Some(Some((id, outcome))) = self.answers.next().now_or_never() {
            if let Err(error) = self.settle(id, outcome) {
                log::warn!("a subscription was not renewed: {error}");
            }
        }
        self.answers.clear();
        let oldest = self.in_flight.values().map(|entry| entry.sequence).min();
        for entry in std::mem::take(&mut self.in_flight).into_values() {
            self.wait_again(entry);
        }
        if let Some(sequence) = oldest.filter(|_| blames_an_action(error)) {
            self.blame(sequence, error);
        }
    }

    /// The broker has closed the connection while the action with this sequence was the oldest without an answer.
    fn blame(&mut self, sequence: u64, error: &Error) {
        let closes = match &self.suspect {
            Some(suspect) if suspect.sequence == sequence => suspect.closes + 1,
            _ => 1,
        };
        self.suspect = Some(Suspect { sequence, closes });
        if closes < Self::CLOSES {
            return;
        }
        // It is among the first: it has been put back in its place.
        let Some(place) = self.waiting.iter().position(|entry| entry.sequence == sequence) else { return };
        let Some(entry) = self.waiting.remove(place) else { return };
        let operation = entry.action.operation();
        let code = if let Error::Disconnected { code, .. } = error { *code } else { None };
        let target = self.options.dialer.target();
        entry.answer(Err(Error::OperationClosesConnection { target, operation, code }));
    }

    /// A connection has been made. Without the session the subscriptions are renewed, before anything else: what
    /// the application publishes may be what it listens for.
    pub(super) fn connected(&mut self, session_present: bool) {
        if session_present {
            return;
        }
        self.waiting.retain(|entry| entry.reply.is_some());
        for (filter, qos) in self.subscriptions.iter().rev() {
            let action = Action::Subscribe { filter: filter.clone(), qos: *qos };
            self.waiting.push_front(Entry { sequence: Self::RENEWED, action, reply: None });
        }
    }

    /// Puts an action back in its place, to be sent on the next connection.
    fn wait_again(&mut self, entry: Entry) {
        if matches!(entry.action, Action::Publish(Message { qos: QoS::AtMostOnce, .. })) {
            let (target, operation) = (self.options.dialer.target(), entry.action.operation());
            return entry.answer(Err(Error::OperationLost { target, operation }));
        }
        let place = self.waiting.partition_point(|other| other.sequence <= entry.sequence);
        self.waiting.insert(place, entry);
    }

    fn settle(&mut self, id: u64, outcome: Result<(), paho::Error>) -> Result<(), Error> {
        // The two are filled and emptied together.
        let Some(entry) = self.in_flight.remove(&id) else { return Ok(()) };
        if matches!(outcome, Ok(()) | Err(paho::Error::ReasonCode(..))) {
            // The connection works: it was not the oldest action that ended the ones before.
            self.suspect = None;
        }
        let error = match outcome {
            Ok(()) => {
                self.remember(&entry.action);
                entry.answer(Ok(()));
                return Ok(());
            }
            Err(paho::Error::ReasonCode(code, properties)) => Error::OperationRefused {
                target: self.options.dialer.target(),
                operation: entry.action.operation(),
                code: ReasonCode::new(code as u8, self.options.mqtt_version),
                reason_string: properties.get_string(paho::PropertyCode::ReasonString),
            },
            // The end of the connection follows, and then all that is in flight is taken back.
            Err(error) if is_connection_loss(&error) => {
                self.in_flight.insert(id, entry);
                return Ok(());
            }
            Err(error) => {
                let (target, operation) = (self.options.dialer.target(), entry.action.operation());
                match refused_on_v311(&entry.action, &error, self.options.mqtt_version) {
                    Some(code) => Error::OperationRefused { target, operation, code, reason_string: None },
                    None => Error::OperationInvalid { operation, source: Box::new(error) },
                }
            }
        };
        if entry.reply.is_none() {
            // What may be taken later is asked for again.
            if !error.is_permanent() {
                self.wait_again(entry);
            }
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

/// Whether the end of a connection may be the broker's answer to what it was sent, rather than the network's
/// doing or the broker's own.
fn blames_an_action(error: &Error) -> bool {
    match error {
        Error::Disconnected { code: Some(code), .. } => code.blames_a_packet(),
        Error::Disconnected { code: None, source, .. } => source.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::MqttVersion;
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

        fn subscribed(filter: &str) -> Self {
            let mut fixture = Self::new();
            fixture.push(subscribe(filter));
            fixture.send();
            fixture.outbox.settle(0, Ok(())).unwrap();
            fixture
        }

        fn push(&mut self, action: Action) {
            let (reply, answer) = oneshot::channel();
            self.outbox.push(action, reply);
            self.answers.push(answer);
        }

        /// Sends all that waits, without a broker.
        fn send(&mut self) {
            while let Some(entry) = self.outbox.waiting.pop_front() {
                self.outbox.in_flight.insert(self.outbox.next_id, entry);
                self.outbox.next_id += 1;
            }
        }

        fn waiting(&self) -> Vec<String> {
            self.outbox.waiting.iter().map(|entry| entry.action.operation().to_string()).collect()
        }
    }

    fn lost(code: Option<ReasonCode>, source: Option<&str>) -> Error {
        let source = source.map(Into::into);
        Error::Disconnected { target: "localhost:1".to_owned(), code, reason_string: None, source }
    }

    /// The broker's way to refuse without a code.
    fn closed() -> Error {
        lost(None, None)
    }

    fn publish(topic: &str) -> Action {
        Action::Publish(Message::new(topic, ""))
    }

    fn subscribe(filter: &str) -> Action {
        Action::Subscribe { filter: filter.to_owned(), qos: QoS::AtLeastOnce }
    }

    #[test]
    fn a_lost_session_is_built_up_in_the_order_of_the_calls() {
        let mut fixture = Fixture::subscribed("s");
        for topic in ["a", "b", "c"] {
            fixture.push(publish(topic));
        }
        fixture.send();
        fixture.push(publish("d"));
        // paho gives up some of them by itself, in any order.
        fixture.outbox.settle(3, Err(paho::Error::OperationIncomplete)).unwrap();
        fixture.outbox.settle(2, Err(paho::Error::Disconnected)).unwrap();
        fixture.outbox.connection_lost(&closed());
        fixture.outbox.connected(false);
        let expected = ["subscribe to s", "publish to a", "publish to b", "publish to c", "publish to d"];
        assert_eq!(fixture.waiting(), expected);
    }

    #[test]
    fn a_session_that_is_still_there_needs_no_subscriptions() {
        let mut fixture = Fixture::subscribed("s");
        fixture.push(publish("a"));
        fixture.push(subscribe("t"));
        fixture.send();
        fixture.outbox.connection_lost(&closed());
        fixture.outbox.connected(true);
        assert_eq!(fixture.waiting(), ["publish to a", "subscribe to t"]);
    }

    #[test]
    fn a_renewal_that_was_cut_off_is_made_on_the_next_connection_and_once() {
        let mut fixture = Fixture::subscribed("s");
        for session_present in [false, false, true] {
            fixture.outbox.connected(session_present);
            assert_eq!(fixture.waiting(), ["subscribe to s"], "{session_present}");
            fixture.send();
            fixture.outbox.connection_lost(&closed());
        }
    }

    #[test]
    fn an_answer_before_the_end_counts() {
        let mut fixture = Fixture::new();
        fixture.push(publish("a"));
        fixture.send();
        fixture.outbox.answers.push(Box::pin(async { (0, Ok(())) }));
        fixture.outbox.connection_lost(&closed());
        fixture.answers[0].try_recv().unwrap().unwrap();
        assert!(fixture.outbox.is_empty());
    }

    #[test]
    fn what_nobody_waits_for_does_not_pile_up() {
        let mut fixture = Fixture::new();
        for _ in 0..1000 {
            fixture.push(publish("a"));
            fixture.answers.clear();
        }
        assert!(fixture.outbox.waiting.len() <= 2 * Outbox::PRUNE);
    }

    #[test]
    fn qos_0_is_sent_once() {
        let mut fixture = Fixture::new();
        let mut message = Message::new("a", "");
        message.qos = QoS::AtMostOnce;
        fixture.push(Action::Publish(message));
        fixture.send();
        fixture.outbox.connection_lost(&closed());
        assert!(fixture.answers[0].try_recv().unwrap().is_err());
        assert!(fixture.outbox.is_empty());
    }

    #[test]
    fn the_action_that_ends_three_connections_in_a_row_is_refused() {
        let mut fixture = Fixture::new();
        fixture.push(publish("bad"));
        fixture.push(publish("good"));
        for _ in 0..3 {
            fixture.outbox.connected(true);
            fixture.send();
            fixture.outbox.connection_lost(&closed());
        }
        let refused = fixture.answers[0].try_recv().unwrap().unwrap_err();
        assert!(matches!(refused, Error::OperationClosesConnection { .. }), "{refused:?}");
        assert_eq!(fixture.waiting(), ["publish to good"]);
    }

    #[test]
    fn a_network_that_fails_is_nobodys_fault() {
        let mut fixture = Fixture::new();
        fixture.push(publish("a"));
        for _ in 0..10 {
            fixture.outbox.connected(true);
            fixture.send();
            fixture.outbox.connection_lost(&lost(None, Some("reset")));
            fixture.outbox.connected(true);
            fixture.send();
            let maintenance = ReasonCode::new(0x98, MqttVersion::V5);
            fixture.outbox.connection_lost(&lost(Some(maintenance), None));
        }
        assert_eq!(fixture.waiting(), ["publish to a"]);
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
            fixture.outbox.connection_lost(&closed());
            assert!(fixture.answers[0].try_recv().is_err(), "round {round}");
        }
    }

    #[test]
    fn a_refused_renewal_is_the_applications_business() {
        let mut fixture = Fixture::subscribed("s");
        fixture.outbox.connected(false);
        fixture.send();
        let refused = paho::Error::ReasonCode(paho::ReasonCode::NotAuthorized, paho::Properties::new());
        let error = fixture.outbox.settle(1, Err(refused)).unwrap_err();
        assert!(error.is_permanent());
    }
}
