use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use iot_client::{Client, Delivery, QoS};
use sandbox::Sandbox;
use sandbox::relay::{Fault, Options, Reach, Relay};
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use super::process::{Process, Task, given};
use super::support::{connect, device};
use super::{first, number, numbered};

const ID: &str = "test-1";
const ROUNDS: u64 = 50;
/// What the process asks for at the same time.
const TOGETHER: u64 = 20;
/// Messages that wait for their acknowledgement: all that the queue takes would be a long way for the last process.
const AHEAD: usize = 200;

/// Publishes as fast as it can. It tells of each message as soon as it has been taken over, and again once the broker
/// has acknowledged it.
async fn publish_until_killed(Task { options, round }: Task) {
    let (client, _) = Client::start(options).await.unwrap();
    let (on_their_way, mut waiting) = mpsc::channel::<(u64, Delivery)>(AHEAD);
    tokio::spawn(async move {
        while let Some((number, delivery)) = waiting.recv().await {
            delivery.await.unwrap();
            println!("delivered {number}");
        }
    });
    let mut next = first(round);
    loop {
        let numbers = next..next + TOGETHER;
        next = numbers.end;
        let taken_over = numbers.map(|number| {
            let client = &client;
            async move {
                let delivery = client.enqueue(numbered(number)).await.unwrap();
                println!("accepted {number}");
                (number, delivery)
            }
        });
        for message in join_all(taken_over).await {
            on_their_way.send(message).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_killed_publishers_lose_nothing_that_was_taken_over() {
    if let Some(task) = given(ID) {
        return publish_until_killed(task).await;
    }
    let sandbox = Sandbox::start().unwrap();
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (witness, mut seen) = connect(device(&sandbox, "test-witness")).await;
    witness.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    let witness_all = tokio::spawn(async move {
        let (mut received, mut duplicates) = (BTreeSet::new(), 0);
        loop {
            let number = number(&mut seen).await;
            if received.contains(&number) {
                duplicates += 1;
                continue;
            }
            assert!(received.last() < Some(&number), "{number} comes after {:?}", received.last());
            received.insert(number);
            if number == first(ROUNDS) {
                return (received, duplicates);
            }
        }
    });

    let (mut accepted, mut killed_with_some_on_their_way, mut without_any) = (BTreeSet::new(), 0, 0);
    for round in 0..ROUNDS {
        // Each fourth finds no broker, and each fourth loses it.
        match round % 4 {
            1 => relay.inject(Reach::All, Fault::Reset),
            _ => relay.heal(),
        }
        let (taken_over, delivered) = block_in_place(|| one_round(&sandbox, &relay, directory.path(), round));
        assert!(!taken_over.is_empty());
        if taken_over.len() > delivered {
            killed_with_some_on_their_way += 1;
        }
        if delivered == 0 {
            without_any += 1;
        }
        accepted.extend(taken_over);
    }
    relay.heal();
    // The last one finds what all have left, and sends it before its own.
    let mut options = device(&sandbox, ID);
    options.persistence = Some(directory.path().to_owned());
    options.operation_timeout = super::PATIENCE;
    let (client, _) = connect(options).await;
    let left = client.status().queued;
    client.publish(numbered(first(ROUNDS))).await.unwrap();
    client.disconnect().await.unwrap();
    let (received, duplicates) = witness_all.await.unwrap();
    let lost: Vec<_> = accepted.difference(&received).collect();
    println!(
        "{} accepted, {} received, {duplicates} duplicates, {left} left for the last; {killed_with_some_on_their_way} \
         killed with messages on their way, {without_any} without any delivered",
        accepted.len(),
        received.len(),
    );
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    assert!(killed_with_some_on_their_way > ROUNDS / 2, "{killed_with_some_on_their_way}");
    witness.disconnect().await.unwrap();
}

/// What one process took over before it was killed, and how many of that it saw acknowledged.
fn one_round(sandbox: &Sandbox, relay: &Relay, directory: &Path, round: u64) -> (Vec<u64>, usize) {
    let name = "fifty_killed_publishers_lose_nothing_that_was_taken_over";
    let mut process = Process::start(sandbox, relay.port(), directory, round, module_path!(), name);
    let (mut accepted, mut delivered) = (Vec::new(), 0);
    let mut note = |(word, number): (String, u64)| match word.as_str() {
        "accepted" => accepted.push(number),
        "delivered" => delivered += 1,
        _ => {}
    };
    // Mid-publish is from the first on.
    note(process.told().expect("it takes over a message"));
    let moment = Duration::from_millis(fastrand::u64(5..300));
    thread::sleep(moment / 2);
    if round % 4 == 2 {
        relay.inject(Reach::All, Fault::Reset);
    }
    thread::sleep(moment / 2);
    process.kill();
    while let Some(told) = process.told() {
        note(told);
    }
    (accepted, delivered)
}
