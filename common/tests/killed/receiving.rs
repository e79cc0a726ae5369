use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use iot_client::{Client, QoS, SessionPolicy};
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};
use tokio::task::block_in_place;

use super::process::{Process, Task, given};
use super::support::{connect, device};
use super::{TOPIC, number, numbered};

const ID: &str = "test-1";
const ROUNDS: u64 = 10;

/// Receives, and tells of each message before it comes back for the next.
async fn receive_until_killed(Task { mut options, round }: Task) {
    options.session = SessionPolicy::Resume;
    options.persistence = None;
    let (client, mut events) = Client::connect(options).await.unwrap();
    if round == 0 {
        client.subscribe(TOPIC, QoS::AtLeastOnce).await.unwrap();
        println!("subscribed 0");
    }
    loop {
        let number = number(&mut events).await;
        println!("received {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_subscribers_lose_nothing_that_they_had_not_done_with() {
    if let Some(task) = given(ID) {
        return receive_until_killed(task).await;
    }
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let start = |round| {
        let name = "killed_subscribers_lose_nothing_that_they_had_not_done_with";
        Process::start(&sandbox, relay.port(), directory.path(), round, module_path!(), name)
    };
    let mut process = start(0);
    assert_eq!(block_in_place(|| process.told()), Some(("subscribed".to_owned(), 0)));

    let (publisher, _) = connect(device(&sandbox, "test-publisher")).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let publishing = tokio::spawn(async move {
        let mut stopped = stopped;
        let mut next = 0;
        while let Err(tokio::sync::oneshot::error::TryRecvError::Empty) = stopped.try_recv() {
            publisher.publish(numbered(next)).await.unwrap();
            next += 1;
        }
        publisher.disconnect().await.unwrap();
        next
    });

    let (mut received, mut duplicates) = (BTreeSet::new(), 0);
    let mut note = |(_, number): (String, u64)| {
        if !received.insert(number) {
            duplicates += 1;
        }
        number
    };
    for round in 1..=ROUNDS {
        block_in_place(|| {
            note(process.told().expect("it receives"));
            let deadline = Instant::now() + Duration::from_millis(fastrand::u64(5..200));
            while Instant::now() < deadline {
                note(process.told().expect("it goes on"));
            }
            process.kill();
            while let Some(told) = process.told() {
                note(told);
            }
            process = start(round);
        });
    }
    drop(stop);
    let published = publishing.await.unwrap();
    block_in_place(|| while note(process.told().expect("the last message comes")) + 1 < published {});
    println!("{published} published, {} received, {duplicates} duplicates", received.len());
    let lost: Vec<_> = (0..published).filter(|number| !received.contains(number)).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
}
