//! The will: published when the sample is gone without a word, and not when it says goodbye.

use std::time::{Duration, Instant};

use crate::support::{allow_all, pubsub};
use sandbox::Sandbox;
use serde_json::json;
use testkit::{Observer, Running, Sample, Signal};

fn with_will(sandbox: &Sandbox) -> Sample {
    let will = ["--will-topic", "test/will", "--will-message", "gone", "--will-qos", "0"];
    pubsub(sandbox).args(["--count", "0", "--interval", "1"]).args(will)
}

#[test]
fn it_is_published_after_kill_9_and_not_after_a_disconnect() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/will");
    for version in ["5", "3.1.1"] {
        let start = || {
            let mut running = Running::new(with_will(&sandbox).args(["--mqtt-version", version]).spawn());
            running.until("Received on");
            running
        };
        let polite = start();
        polite.signal(Signal::Terminate);
        polite.outcome().succeeded();

        let killed = start();
        killed.signal(Signal::Kill);
        assert_eq!(killed.outcome().code, None);
        let seen = observer.next();
        assert_eq!(
            (&seen["topic"], &seen["payload"], &seen["qos"], &seen["retain"]),
            (&json!("test/will"), &json!("gone"), &json!(0), &json!(false))
        );
        assert!(observer.rest().is_empty(), "the first one sent none");
    }
}

#[test]
fn it_can_be_kept_and_sent_with_qos_1() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/will");
    let flags = ["--will-topic", "test/will", "--will-message", "gone", "--will-retain", "--count", "0"];
    let mut running = Running::new(pubsub(&sandbox).args(flags).args(["--interval", "1"]).spawn());
    running.until("Received on");
    running.signal(Signal::Kill);
    running.outcome();
    assert_eq!(observer.next()["qos"], 1);
    let late = Observer::subscribe(&sandbox, "test-late", "test/will").next();
    assert_eq!((&late["payload"], &late["retain"]), (&json!("gone"), &json!(true)));
}

#[test]
fn it_waits_for_the_delay() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/will");
    let mut running = Running::new(with_will(&sandbox).args(["--will-delay", "2"]).spawn());
    running.until("Received on");
    running.signal(Signal::Kill);
    running.outcome();
    let gone = Instant::now();
    assert_eq!(observer.next()["payload"], "gone");
    assert!(gone.elapsed() > Duration::from_secs(1), "{:?}", gone.elapsed());
}

#[test]
fn a_forbidden_will_is_named_with_the_permissions_it_needs() {
    let sandbox = Sandbox::start().unwrap();
    for version in ["5", "3.1.1"] {
        let flags = ["--client-id", "test-1", "--will-topic", "secret/will", "--will-message", "gone"];
        let sample = || pubsub(&sandbox).args(["--mqtt-version", version]).args(flags);
        let connect = "iot:Connect on client/test-1 (with LastWill, ";
        let words = ["not authorized", connect, "for the will, iot:Publish on topic/secret/will"];
        sample().run().failed(1, &words);
        let words = ["for the will, iot:Publish and iot:RetainPublish on topic/secret/will"];
        sample().args(["--will-retain"]).run().failed(1, &words);
    }
}
