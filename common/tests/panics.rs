//! A panic anywhere below the driver ends the client with the reason. What panics here is the logger, where a part of the
//! client logs; each test waits for its turn, since a process has one logger.

#[allow(dead_code, reason = "each of the test files uses its part")]
#[path = "support/odd_broker.rs"]
mod odd_broker;
mod support;

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{CredentialSource, SigV4, X509Credentials};
use iot_client::{Auth, Client, ClientOptions, Error, Event, Events, Message, QoS, WhenFull};
use iot_transport::{Endpoint, Identity};
use log::{LevelFilter, Log, Metadata, Record};
use odd_broker::{CONNACK, OddBroker};
use sandbox::{Principal, Sandbox};
use support::{allow_all, connect, device, eventually, options};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

/// Panics once, at a line of the library's that contains the words that it waits for; with [`EVERY_LINE`], at each.
struct Panicking(Mutex<Option<&'static str>>);

const EVERY_LINE: &str = "";

static LOGGER: Panicking = Panicking(Mutex::new(None));

impl Panicking {
    fn words(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn panic_at(&self, words: &'static str) {
        *self.words() = Some(words);
        // Whichever test is the first.
        let _ = log::set_logger(&LOGGER);
        log::set_max_level(LevelFilter::Debug);
    }
}

impl Log for Panicking {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = String::new();
        write!(line, "{}", record.args()).unwrap();
        let is_own =
            ["common", "iot_client", "iot_transport"].iter().any(|own| record.target().starts_with(own));
        let found = self.words().filter(|words| is_own && line.contains(words));
        if found.is_some_and(|words| words != EVERY_LINE) {
            *self.words() = None;
        }
        assert!(found.is_none(), "the logger gave up");
    }

    fn flush(&self) {}
}

static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The last event.
async fn last(events: &mut Events) -> Option<Event> {
    let mut last = None;
    while let Some(event) = timeout(LIMIT, events.next()).await.expect("in time") {
        last = Some(event);
    }
    last
}

#[track_caller]
fn assert_names_the_panic(error: &Error) {
    assert!(matches!(error, Error::Panicked { .. }), "{error:?}");
    assert!(error.to_string().contains("the logger gave up"), "{error}");
    assert!(error.hint().unwrap().contains("defect"), "{error}");
}

/// Credentials from a call to the sandbox, and a connection signed with them.
fn signed(sandbox: &Sandbox) -> ClientOptions {
    sandbox.set_policies(Principal::Role, &[allow_all()]).unwrap();
    let (device, provider) = (sandbox.device(), sandbox.credentials_provider());
    let endpoint = Endpoint::parse_with_port(&provider.endpoint).unwrap();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
    let credentials = X509Credentials::new(endpoint, provider.role_alias.parse().unwrap(), identity);
    let auth = Auth::from(SigV4::new(CredentialSource::X509(credentials), sandbox.region().to_owned()));
    options(sandbox, sandbox.https_port(), auth, "test-1")
}

/// Where the driver, the credentials' resolution and the link log while they connect.
const CONNECTING: [&str; 4] =
    ["connecting to localhost", "a call to", "keep-alive", "connected to localhost"];

#[tokio::test]
async fn a_panic_while_connecting_is_what_connect_fails_with() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::start().unwrap();
    for words in CONNECTING {
        LOGGER.panic_at(words);
        let outcome = timeout(LIMIT, Client::connect(signed(&sandbox))).await.expect("in time");
        match outcome.expect_err(words) {
            Error::Stopped { source: Some(cause) } => assert_names_the_panic(&cause),
            error => assert_names_the_panic(&error),
        }
    }
}

#[tokio::test]
async fn a_panic_of_a_client_that_was_started_ends_its_events_with_stopped_and_the_panic() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::start().unwrap();
    for words in CONNECTING {
        LOGGER.panic_at(words);
        let (client, mut events) = Client::start(signed(&sandbox)).await.unwrap();
        let waiting = {
            let client = client.clone();
            tokio::spawn(async move { client.publish(Message::new("test/topic", "x")).await })
        };
        let last = last(&mut events).await;
        let Some(Event::Stopped { error: Some(error) }) = last else { panic!("{words}: {last:?}") };
        assert_names_the_panic(&error);
        for outcome in [
            waiting.await.unwrap(),
            client.subscribe("test/topic", QoS::AtLeastOnce).await,
            client.clone().disconnect().await,
        ] {
            let Err(Error::Stopped { source: Some(cause) }) = outcome else { panic!("{words}: {outcome:?}") };
            assert_names_the_panic(&cause);
        }
        assert!(!client.status().connected);
    }
}

#[tokio::test]
async fn a_panic_on_a_connection_that_stands_ends_the_client() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::start().unwrap();
    let (client, mut events) = connect(device(&sandbox, "test-1")).await;
    // The driver, as it hears of the end.
    LOGGER.panic_at("maintenance at noon");
    assert!(sandbox.disconnect("test-1", 0x98, Some("maintenance at noon")));
    let last = last(&mut events).await;
    let Some(Event::Stopped { error: Some(error) }) = last else { panic!("{last:?}") };
    assert_names_the_panic(&error);
    let outcome = client.publish(Message::new("test/topic", "x")).await;
    assert!(matches!(outcome, Err(Error::Stopped { source: Some(_) })), "{outcome:?}");
}

#[tokio::test]
async fn a_panic_gives_the_message_store_back_with_the_messages() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.persistence = Some(directory.path().to_owned());
    LOGGER.panic_at("keep-alive");
    let (client, mut events) = Client::start(options.clone()).await.unwrap();
    // The panic may come first, and then the message is not the client's.
    let accepted = client.enqueue(Message::new("test/topic", "x")).await.is_ok();
    while timeout(LIMIT, events.next()).await.expect("in time").is_some() {}
    let (client, _events) = connect(options).await;
    eventually("what was accepted is published", || {
        let status = client.status();
        status.queued + status.in_flight == 0 && status.published == u64::from(accepted)
    })
    .await;
    client.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_follows_stopped_after_a_panic_of_the_driver() {
    let _alone = ONE_AT_A_TIME.lock().await;
    for _ in 0..10 {
        let broker = OddBroker::start().await;
        let mut options = broker.options();
        options.queue.messages = 1;
        options.queue.when_full = WhenFull::DropOldest;
        options.max_in_flight = 1;
        let (client, mut events) = Client::start(options).await.unwrap();
        let mut stream = broker.connect().await;
        stream.write_all(&CONNACK).await.unwrap();
        // Messages come all the time, and no acknowledgement.
        let flood = tokio::spawn(async move {
            let messages = b"\x30\x04\x00\x01a\x00".repeat(1000);
            while stream.write_all(&messages).await.is_ok() {}
        });
        while !matches!(events.next().await, Some(Event::Message(_))) {}
        let heard = tokio::spawn(async move { last(&mut events).await });
        LOGGER.panic_at("dropped the oldest message");
        for number in 0..3 {
            // The panic may come before the last.
            let _ = client.enqueue(Message::new("test/topic", number.to_string())).await;
        }
        let last = heard.await.unwrap();
        let Some(Event::Stopped { error: Some(error) }) = last else { panic!("{last:?}") };
        assert_names_the_panic(&error);
        flood.await.unwrap();
    }
}

#[tokio::test]
async fn a_logger_that_panics_at_every_line_leaves_stopped_the_last_event() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::start().unwrap();
    let options = device(&sandbox, "test-1");
    LOGGER.panic_at(EVERY_LINE);
    let (client, mut events) = Client::start(options).await.unwrap();
    let last = last(&mut events).await;
    *LOGGER.words() = None;
    let Some(Event::Stopped { error: Some(error) }) = last else { panic!("{last:?}") };
    assert_names_the_panic(&error);
    drop(client);
}

#[tokio::test]
async fn a_panic_at_the_last_line_of_a_client_leaves_its_end_told() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut sandbox = Sandbox::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut options = device(&sandbox, "test-1");
    options.persistence = Some(directory.path().to_owned());
    options.shutdown_timeout = Duration::ZERO;
    sandbox.stop();
    for words in ["stay in the message store", "the client has stopped"] {
        let (client, mut events) = Client::start(options.clone()).await.unwrap();
        client.enqueue(Message::new("test/topic", "x")).await.unwrap();
        LOGGER.panic_at(words);
        client.disconnect().await.unwrap();
        let last = last(&mut events).await;
        assert!(matches!(last, Some(Event::Stopped { error: None })), "{words}: {last:?}");
        assert!(LOGGER.words().is_none(), "{words}: nothing has panicked");
    }
}
