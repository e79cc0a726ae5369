use iot_transport::{Endpoint, Roots};
use tokio::sync::oneshot;

use super::*;
use crate::auth::{Auth, CustomAuthTransport};
use crate::custom_auth::CustomAuthorizer;
use crate::{MqttVersion, ReasonCode};

struct Fixture {
    outbox: Outbox,
    answers: Vec<oneshot::Receiver<Result<(), Error>>>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ClientOptions)) -> Self {
        let authorizer = CustomAuthorizer::new(None, None, None, None).unwrap();
        let auth = Auth::CustomAuthorizer { authorizer, transport: CustomAuthTransport::Mqtt };
        let endpoint = Endpoint::parse("localhost").unwrap();
        let mut options = ClientOptions::new(endpoint, auth, Roots::system(), "test-1").unwrap();
        change(&mut options);
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
        self.outbox.push(action, Reply::Caller(reply));
        self.answers.push(answer);
    }

    /// Sends all that may be sent, without a broker.
    fn send(&mut self) {
        while let Some(mut entry) = self.outbox.next(100).unwrap() {
            entry.sent = true;
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

fn not_authorized() -> OperationFailure {
    let code = ReasonCode::new(0x87, MqttVersion::V5);
    OperationFailure::Refused { code, reason_string: None }
}

fn bad() -> Operation {
    Operation::Publish { topic: "bad".to_owned(), retain: false }
}

fn publish(topic: &str) -> Action {
    Action::Publish(Arc::new(Message::new(topic, "")))
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
    fixture.outbox.settle(3, Err(OperationFailure::ConnectionLost)).unwrap();
    fixture.outbox.settle(2, Err(OperationFailure::ConnectionLost)).unwrap();
    fixture.outbox.connection_lost(&closed()).unwrap();
    fixture.outbox.connected(false, BrokerLimits::default());
    let expected = ["subscribe to s", "publish to a", "publish to b", "publish to c", "publish to d"];
    assert_eq!(fixture.waiting(), expected);
}

#[test]
fn a_session_that_is_still_there_needs_no_subscriptions() {
    let mut fixture = Fixture::subscribed("s");
    fixture.push(publish("a"));
    fixture.push(subscribe("t"));
    fixture.send();
    fixture.outbox.connection_lost(&closed()).unwrap();
    fixture.outbox.connected(true, BrokerLimits::default());
    assert_eq!(fixture.waiting(), ["publish to a", "subscribe to t"]);
}

#[test]
fn a_renewal_that_was_cut_off_is_made_on_the_next_connection_and_once() {
    let mut fixture = Fixture::subscribed("s");
    for session_present in [false, false, true] {
        fixture.outbox.connected(session_present, BrokerLimits::default());
        assert_eq!(fixture.waiting(), ["subscribe to s"], "{session_present}");
        fixture.send();
        fixture.outbox.connection_lost(&closed()).unwrap();
    }
}

#[test]
fn an_answer_before_the_end_counts() {
    let mut fixture = Fixture::new();
    fixture.push(publish("a"));
    fixture.send();
    fixture.outbox.answers.push(Box::pin(async { (0, Ok(())) }));
    fixture.outbox.connection_lost(&closed()).unwrap();
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
    fixture.push(Action::Publish(Arc::new(message)));
    fixture.send();
    fixture.outbox.connection_lost(&closed()).unwrap();
    assert!(fixture.answers[0].try_recv().unwrap().is_err());
    assert!(fixture.outbox.is_empty());
}

#[test]
fn the_action_that_ends_three_connections_in_a_row_is_refused() {
    let mut fixture = Fixture::new();
    fixture.push(publish("bad"));
    fixture.push(publish("good"));
    for _ in 0..3 {
        fixture.outbox.connected(true, BrokerLimits::default());
        fixture.send();
        fixture.outbox.connection_lost(&closed()).unwrap();
    }
    let refused = fixture.answers[0].try_recv().unwrap().unwrap_err();
    assert!(matches!(refused, Error::OperationClosesConnection { .. }), "{refused:?}");
    assert_eq!(fixture.waiting(), ["publish to good"]);
}

/// A broker that closes the connection before it has answered what came before.
#[test]
fn the_action_that_ends_connections_takes_no_other_with_it() {
    let mut fixture = Fixture::new();
    for number in 0..10 {
        fixture.push(publish(if number == 5 { "bad" } else { "good" }));
    }
    let mut connections = 0;
    while !fixture.outbox.is_empty() {
        connections += 1;
        fixture.outbox.connected(true, BrokerLimits::default());
        loop {
            fixture.send();
            let in_flight = &fixture.outbox.in_flight;
            if in_flight.is_empty() || in_flight.values().any(|entry| entry.action.operation() == bad()) {
                break;
            }
            let id = *in_flight.keys().next().unwrap();
            fixture.outbox.settle(id, Ok(())).unwrap();
        }
        fixture.outbox.connection_lost(&closed()).unwrap();
    }
    for (number, answer) in fixture.answers.iter_mut().enumerate() {
        assert_eq!(answer.try_recv().unwrap().is_err(), number == 5, "{number}");
    }
    // Twice with all of them, three times with it alone, and once without it.
    assert_eq!(connections, 6);
}

/// An action that nobody waits for any more is no reason to stay, and no loss.
#[test]
fn what_was_given_up_holds_nobody_up() {
    let mut fixture = Fixture::new();
    fixture.push(publish("a"));
    fixture.send();
    fixture.push(publish("b"));
    assert!(!fixture.outbox.is_empty());
    assert_eq!(fixture.outbox.undelivered(), (2, 0));
    fixture.answers.clear();
    assert!(!fixture.outbox.is_empty(), "what was sent is waited for");
    assert_eq!(fixture.outbox.undelivered(), (1, 0));
    fixture.outbox.connection_lost(&closed()).unwrap();
    assert!(fixture.outbox.is_empty());
    assert_eq!(fixture.outbox.undelivered(), (0, 0));
}

#[test]
fn a_network_that_fails_is_nobodys_fault() {
    let mut fixture = Fixture::new();
    fixture.push(publish("a"));
    for _ in 0..10 {
        fixture.outbox.connected(true, BrokerLimits::default());
        fixture.send();
        fixture.outbox.connection_lost(&lost(None, Some("reset"))).unwrap();
        fixture.outbox.connected(true, BrokerLimits::default());
        fixture.send();
        let maintenance = ReasonCode::new(0x98, MqttVersion::V5);
        fixture.outbox.connection_lost(&lost(Some(maintenance), None)).unwrap();
    }
    assert_eq!(fixture.waiting(), ["publish to a"]);
}

#[test]
fn an_acknowledgement_between_two_closes_clears_the_suspect() {
    let mut fixture = Fixture::new();
    fixture.push(publish("slow"));
    for round in 0..10 {
        fixture.push(publish("quick"));
        fixture.outbox.connected(false, BrokerLimits::default());
        fixture.send();
        let quick = fixture.outbox.next_id - 1;
        fixture.outbox.settle(quick, Ok(())).unwrap();
        fixture.outbox.connection_lost(&closed()).unwrap();
        assert!(fixture.answers[0].try_recv().is_err(), "round {round}");
    }
}

#[test]
fn a_refused_renewal_is_the_applications_business() {
    let mut fixture = Fixture::subscribed("s");
    fixture.outbox.connected(false, BrokerLimits::default());
    fixture.send();
    let refused = not_authorized();
    let error = fixture.outbox.settle(1, Err(refused)).unwrap_err();
    assert!(error.is_permanent());
}

#[test]
fn a_renewal_that_was_refused_when_the_connection_ended_is_not_forgotten() {
    let mut fixture = Fixture::subscribed("s");
    fixture.outbox.connected(false, BrokerLimits::default());
    fixture.send();
    let refused = not_authorized();
    fixture.outbox.answers.push(Box::pin(async { (1, Err(refused)) }));
    assert!(fixture.outbox.connection_lost(&closed()).unwrap_err().is_permanent());
    fixture.outbox.connected(true, BrokerLimits::default());
    assert_eq!(fixture.waiting(), ["subscribe to s"]);
}

#[test]
fn a_renewal_is_not_made_for_an_application_that_has_unsubscribed() {
    let mut fixture = Fixture::subscribed("s");
    fixture.outbox.connected(false, BrokerLimits::default());
    fixture.push(Action::Unsubscribe { filter: "s".to_owned() });
    fixture.send();
    fixture.outbox.settle(2, Ok(())).unwrap();
    fixture.outbox.connection_lost(&lost(None, Some("reset"))).unwrap();
    fixture.outbox.connected(true, BrokerLimits::default());
    assert!(fixture.outbox.is_empty());

    // The answers may be seen in another order than they came in.
    let mut fixture = Fixture::subscribed("s");
    fixture.outbox.connected(false, BrokerLimits::default());
    fixture.push(Action::Unsubscribe { filter: "s".to_owned() });
    fixture.send();
    fixture.outbox.settle(2, Ok(())).unwrap();
    fixture.outbox.settle(1, Ok(())).unwrap();
    fixture.outbox.connected(false, BrokerLimits::default());
    assert!(fixture.outbox.is_empty());
}

#[test]
fn a_renewal_before_the_action_that_ends_the_connection_does_not_hide_it() {
    let mut fixture = Fixture::subscribed("s");
    fixture.push(publish("bad"));
    for _ in 0..3 {
        fixture.outbox.connected(false, BrokerLimits::default());
        let renewal = fixture.outbox.next_id;
        fixture.send();
        fixture.outbox.settle(renewal, Ok(())).unwrap();
        // They go one by one from the third time on.
        fixture.send();
        fixture.outbox.connection_lost(&closed()).unwrap();
    }
    let refused = fixture.answers[1].try_recv().unwrap().unwrap_err();
    assert!(matches!(refused, Error::OperationClosesConnection { .. }), "{refused:?}");
}

#[test]
fn a_renewal_that_ends_every_connection_ends_the_client() {
    let mut fixture = Fixture::subscribed("good");
    fixture.push(subscribe("bad"));
    fixture.send();
    fixture.outbox.settle(1, Ok(())).unwrap();
    for round in 1..=Suspect::CLOSES_OF_RENEWAL {
        fixture.outbox.connected(false, BrokerLimits::default());
        let good = fixture.outbox.next_id;
        fixture.send();
        fixture.outbox.settle(good, Ok(())).unwrap();
        fixture.send();
        let outcome = fixture.outbox.connection_lost(&closed());
        if round < Suspect::CLOSES_OF_RENEWAL {
            outcome.unwrap();
        } else {
            let error = outcome.unwrap_err();
            assert!(error.is_permanent() && error.to_string().contains("subscribe to bad"), "{error}");
        }
    }
}

#[test]
fn a_full_queue_refuses_the_new_message() {
    let mut fixture = Fixture::with(|options| options.queue.messages = 2);
    for topic in ["a", "b", "c"] {
        fixture.push(publish(topic));
    }
    let refused = fixture.answers[2].try_recv().unwrap().unwrap_err();
    assert!(matches!(refused, Error::QueueFull { waiting: 2, .. }), "{refused:?}");
    assert_eq!(
        refused.to_string(),
        "cannot publish to c: 2 messages wait to be sent, as many as the queue takes"
    );
    fixture.push(subscribe("s"));
    assert_eq!(fixture.waiting(), ["publish to a", "publish to b", "subscribe to s"]);
}

#[test]
fn a_full_queue_drops_the_oldest_message_that_was_not_sent() {
    let mut fixture = Fixture::with(|options| {
        options.queue.bytes = 10;
        options.queue.when_full = WhenFull::DropOldest;
    });
    fixture.push(publish("sent"));
    fixture.send();
    fixture.outbox.connection_lost(&closed()).unwrap();
    fixture.push(subscribe("s"));
    for topic in ["one", "two"] {
        fixture.push(publish(topic));
    }
    // Four bytes have been sent and stay, so that six leave no room.
    let (reply, mut answer) = oneshot::channel();
    assert_eq!(fixture.outbox.push(publish("three!"), Reply::Caller(reply)), ["one", "two"]);
    for gone in [2, 3] {
        let error = fixture.answers[gone].try_recv().unwrap().unwrap_err();
        assert!(matches!(error, Error::QueueFull { .. }), "{error:?}");
    }
    assert!(answer.try_recv().is_err());
    assert_eq!(fixture.waiting(), ["publish to sent", "subscribe to s", "publish to three!"]);
    assert_eq!(fixture.outbox.dropped, 2);
    // None goes for a message that cannot have room anyway.
    fixture.push(publish("larger than it"));
    assert!(fixture.answers.last_mut().unwrap().try_recv().unwrap().is_err());
    assert_eq!(fixture.outbox.dropped, 2);
}

#[test]
fn a_connection_has_no_more_subscriptions_than_aws_takes() {
    let mut fixture = Fixture::with(|options| options.quotas.subscriptions = Some(2));
    fixture.push(subscribe("a"));
    fixture.send();
    fixture.outbox.settle(0, Ok(())).unwrap();
    for filter in ["b", "c", "a"] {
        fixture.push(subscribe(filter));
    }
    assert_eq!(fixture.waiting(), ["subscribe to b", "subscribe to a"]);
    let refused = fixture.answers[2].try_recv().unwrap().unwrap_err();
    assert!(matches!(refused, Error::OperationInvalid { .. }), "{refused:?}");
}

#[test]
fn a_message_that_was_taken_over_is_not_forgotten_with_its_caller() {
    let mut fixture = Fixture::new();
    let (accepted, mut is_accepted) = oneshot::channel();
    let (answer, _) = oneshot::channel();
    fixture.outbox.push(publish("a"), Reply::Delivery { accepted: Some(accepted), answer });
    is_accepted.try_recv().unwrap().unwrap();
    for _ in 0..2 * Outbox::PRUNE {
        fixture.push(publish("b"));
        fixture.answers.clear();
    }
    assert_eq!(fixture.waiting()[0], "publish to a");
}

#[test]
fn what_nobody_waits_for_takes_no_room() {
    let mut fixture = Fixture::with(|options| {
        options.queue.messages = 2;
        options.quotas.subscriptions = Some(2);
    });
    for _ in 0..10 {
        fixture.push(publish("given up"));
        fixture.push(subscribe("given up"));
        fixture.answers.clear();
    }
    for action in [publish("a"), publish("b"), subscribe("a"), subscribe("b"), subscribe("b")] {
        fixture.push(action);
    }
    assert!(fixture.answers.iter_mut().all(|answer| answer.try_recv().is_err()), "none is refused");
    assert_eq!(fixture.outbox.undelivered(), (2, 0));
    fixture.answers.clear();
    assert_eq!(fixture.outbox.undelivered(), (0, 0));
    assert!(fixture.outbox.is_empty());
}

#[test]
fn nothing_is_dropped_for_a_message_that_is_refused_all_the_same() {
    let mut fixture = Fixture::with(|options| {
        options.queue.bytes = 10;
        options.queue.when_full = WhenFull::DropOldest;
    });
    fixture.push(publish("sent..."));
    fixture.send();
    fixture.outbox.connection_lost(&closed()).unwrap();
    fixture.push(publish("one"));
    fixture.push(publish("four"));
    assert!(matches!(fixture.answers[2].try_recv().unwrap(), Err(Error::QueueFull { .. })));
    assert_eq!(fixture.waiting(), ["publish to sent...", "publish to one"]);
    assert_eq!(fixture.outbox.dropped, 0);
}

#[test]
fn properties_take_room() {
    let mut fixture = Fixture::with(|options| options.queue.bytes = 1000);
    let mut message = Message::new("a", "");
    message.user_properties = vec![("k".repeat(300), "v".repeat(300))];
    message.correlation_data = Some(vec![0; 100]);
    for refused in [false, true] {
        fixture.push(Action::Publish(Arc::new(message.clone())));
        assert_eq!(fixture.answers.last_mut().unwrap().try_recv().is_ok(), refused);
    }
}

#[cfg(feature = "store")]
#[tokio::test]
async fn the_panic_of_the_message_stores_thread_goes_on_in_the_driver() {
    use std::panic::AssertUnwindSafe;

    use iot_transport::panics;

    let directory = tempfile::tempdir().unwrap();
    let options = Fixture::with(|options| options.persistence = Some(directory.path().to_owned()));
    let outbox = Outbox::open(Arc::clone(&options.outbox.options)).await.unwrap();
    let mut fixture = Fixture { outbox, answers: Vec::new() };
    let disk = fixture.outbox.disk.as_ref().unwrap();
    disk.store().append(vec![(1, Arc::new(Message::new("a", "")))], |_| panic!("in the store"));
    fixture.push(publish("b"));
    let panic = AssertUnwindSafe(fixture.outbox.progress()).catch_unwind().await.unwrap_err();
    let expected = "the message store's thread has panicked: in the store";
    assert_eq!(panics::message(&*panic), expected);
    // Its caller hears of it by the end of the driver.
    assert_eq!(fixture.answers[0].try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty);
    fixture.outbox.close().await;
}

#[test]
fn a_message_beyond_the_brokers_limits_fails_and_those_around_it_are_sent() {
    let mut fixture = Fixture::new();
    for topic in ["a", "a topic with more bytes than the limit", "b"] {
        fixture.push(publish(topic));
    }
    let limits = BrokerLimits { maximum_packet_size: Some(20), ..BrokerLimits::default() };
    fixture.outbox.connected(false, limits);
    fixture.send();
    assert_eq!(fixture.outbox.in_flight.len(), 2);
    let refused = fixture.answers[1].try_recv().unwrap().unwrap_err();
    assert!(matches!(refused, Error::BeyondLimit { .. }), "{refused:?}");
    // The limits are those of one connection.
    fixture.outbox.connection_lost(&closed()).unwrap();
    fixture.push(publish("a topic with more bytes than the limit"));
    fixture.outbox.connected(false, BrokerLimits::default());
    fixture.send();
    assert_eq!(fixture.outbox.in_flight.len(), 3);
}
