//! The rules that keep paho safe, each where breaking it once hung, leaked or ended the process
//! (`crates/iot-client/src/paho/session.rs`). One test at a time: they count the process's descriptors and threads.

// Descriptors and threads are counted in /proc.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "each of the test files uses its part")]
#[path = "support/odd_broker.rs"]
mod odd_broker;
mod support;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iot_client::{Client, Error, Event, Message, QoS};
use iot_transport::Error as TransportError;
use odd_broker::{CONNACK, OddBroker};
use sandbox::{Sandbox, relay};
use support::{connect, device, device_on, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Open descriptors and threads of this process.
fn resources() -> (usize, usize) {
    let count = |folder: &str| fs::read_dir(folder).unwrap().count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Waits until the process holds no more than it did, save for what paho and the resolver keep once.
async fn no_leak_since((descriptors, threads): (usize, usize)) {
    let what = format!("as few as {descriptors} descriptors and {threads} threads");
    eventually(&what, || {
        let now = resources();
        now.0 <= descriptors + 2 && now.1 <= threads + 2
    })
    .await;
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn dropping_a_client_while_its_connect_is_pending() {
    let _alone = alone();
    let broker = OddBroker::start().await;
    let mut before = None;
    for round in 0..60 {
        let connecting = tokio::spawn(Client::connect(broker.options()));
        // CONNECT has been sent and is never answered.
        let stream = broker.connect().await;
        connecting.abort();
        assert!(connecting.await.unwrap_err().is_cancelled());
        drop(stream);
        if round == 10 {
            before = Some(resources());
        }
    }
    no_leak_since(before.unwrap()).await;
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn dropping_a_client_right_after_it_has_connected() {
    let _alone = alone();
    let sandbox = Sandbox::start().unwrap();
    drop(connect(device(&sandbox, "test-0")).await);
    eventually("the first DISCONNECT", || sandbox.connections()[0].clean_disconnect).await;
    let before = resources();
    for round in 1..100 {
        drop(connect(device(&sandbox, &format!("test-{round}"))).await);
    }
    no_leak_since(before).await;
}

#[test]
fn a_runtime_that_goes_away_under_a_client() {
    let _alone = alone();
    let sandbox = Sandbox::start().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waiting = runtime();
    let one = || {
        let runtime = runtime();
        let client = runtime.block_on(async {
            let (client, _) = connect(device(&sandbox, "test-1")).await;
            // In mid-stream: paho must not be left writing to a socket that is gone.
            for _ in 0..50 {
                let client = client.clone();
                tokio::spawn(async move { client.publish(Message::new("test/topic", "x")).await });
            }
            client.publish(Message::new("test/topic", "x")).await.unwrap();
            client
        });
        drop(runtime);
        drop(client);
    };
    one();
    let before = resources();
    for _ in 0..20 {
        one();
    }
    waiting.block_on(no_leak_since(before));
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn a_thousand_failed_connects() {
    let _alone = alone();
    let broker = OddBroker::start().await;
    let options = broker.options();
    let (attempts, mut attempted) = mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        for attempt in 0.. {
            let mut stream = broker.connect().await;
            // Only the first is accepted, and none lives on.
            if attempt == 0 {
                stream.write_all(&CONNACK).await.unwrap();
            }
            attempts.send(attempt).unwrap();
        }
    });
    let (client, events) = connect(options).await;
    drop(events);
    let mut before = None;
    while let Some(attempt) = attempted.recv().await {
        match attempt {
            10 => before = Some(resources()),
            1000 => break,
            _ => {}
        }
    }
    no_leak_since(before.unwrap()).await;
    server.abort();
    client.disconnect().await.unwrap();
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn topics_that_paho_would_abort_on() {
    let _alone = alone();
    for (topic, word) in [(&b"a\0b"[..], "U+0000"), (b"a\xff", "UTF-8")] {
        let broker = OddBroker::start().await;
        let options = broker.options();
        let server = tokio::spawn(async move {
            let mut stream = broker.connect().await;
            stream.write_all(&CONNACK).await.unwrap();
            let mut publish = vec![0x30, (2 + topic.len() + 2) as u8, 0, topic.len() as u8];
            publish.extend_from_slice(topic);
            publish.extend_from_slice(&[0, b'x']);
            stream.write_all(&publish).await.unwrap();
            let mut again = broker.connect().await;
            again.write_all(&CONNACK).await.unwrap();
            (stream, again)
        });
        let (client, mut events) = connect(options).await;
        let mut seen = None;
        while let Some(event) = timeout(Duration::from_secs(30), events.next()).await.expect("in time") {
            match event {
                Event::Disconnected { error } => seen = Some(error),
                Event::Connected { .. } if seen.is_some() => break,
                Event::Message(message) => panic!("{message:?}"),
                _ => {}
            }
        }
        let error = seen.expect("the connection was given up");
        let source = std::error::Error::source(&*error).expect("a cause").to_string();
        assert!(source.contains(word), "{source}");
        let _streams = server.await.unwrap();
        drop(client);
    }
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn a_connack_that_never_comes_meets_the_deadline() {
    let _alone = alone();
    let broker = OddBroker::start().await;
    let mut options = broker.options();
    options.connect_timeout = Duration::from_secs(3);
    let connecting = tokio::spawn(Client::connect(options));
    let _stream = broker.connect().await;
    let error = connecting.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::ConnectTimeout { .. })), "{error:?}");
    assert!(error.to_string().contains("CONNACK"), "{error}");
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn reconnecting_leaks_nothing() {
    let _alone = alone();
    let sandbox = Sandbox::start().unwrap();
    let relay = relay::Relay::start(sandbox.mqtt_port(), relay::Options::default()).unwrap();
    let (client, mut events) = connect(device_on(&sandbox, relay.port(), "test-1")).await;
    let mut before = None;
    for round in 0..30 {
        client.publish(Message::new("test/topic", "x")).await.unwrap();
        relay.cut();
        let connected = async {
            while !matches!(events.next().await.expect("the client goes on"), Event::Connected { .. }) {}
        };
        timeout(Duration::from_secs(30), connected).await.expect("it reconnects");
        if round == 5 {
            before = Some(resources());
        }
    }
    no_leak_since(before.unwrap()).await;
    client.disconnect().await.unwrap();
}

/// Answers the next packet, whatever it is, with a body behind its packet identifier.
async fn answer(stream: &mut TlsStream<TcpStream>, packet: u8, body: &[u8]) {
    let mut asked = [0; 1024];
    assert_ne!(stream.read(&mut asked).await.unwrap(), 0);
    let header = [packet, 2 + body.len() as u8, asked[2], asked[3]];
    stream.write_all(&[&header[..], body].concat()).await.unwrap();
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the runtime has one thread, and the lock is for other tests")]
async fn packets_that_are_cut_off_end_the_connection_and_a_refused_unsuback_is_an_error() {
    let _alone = alone();
    // A SUBACK without a code, and a PUBLISH whose only property has no value.
    for (packet, body) in [(0x90, &[0][..]), (0x30, &[2, 1])] {
        let broker = OddBroker::start().await;
        let options = broker.options();
        let server = tokio::spawn(async move {
            let mut stream = broker.connect().await;
            stream.write_all(&CONNACK).await.unwrap();
            if packet == 0x90 {
                answer(&mut stream, packet, body).await;
            } else {
                stream.write_all(&[&[packet, 5, 0, 1, b't'], body].concat()).await.unwrap();
            }
            let mut again = broker.connect().await;
            again.write_all(&CONNACK).await.unwrap();
            answer(&mut again, 0x90, &[0, 1]).await;
            answer(&mut again, 0xb0, &[0, 0x87]).await;
            (stream, again)
        });
        let (client, _events) = connect(options).await;
        client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
        let refused = client.unsubscribe("t").await.unwrap_err();
        assert!(
            matches!(&refused, Error::OperationRefused { code, .. } if code.code() == 0x87),
            "{refused:?}"
        );
        let _streams = server.await.unwrap();
        drop(client);
    }
}
