//! The end of the sample: interrupted while it ends already, and with a standard output that takes no more.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};
use testkit::{Observer, Outcome, Running, Sample, Signal};

use crate::support::{BINARY, allow_all, pubsub};

/// The sample behind a relay that takes 300 ms each way, so that its UNSUBSCRIBE is under way for 600 ms.
fn slowly(sandbox: &Sandbox) -> (Relay, Sample) {
    let relay =
        Relay::start(sandbox.mqtt_port(), Options { one_way_delay: Duration::from_millis(300) }).unwrap();
    let sample = Sample::new(BINARY).to_port(sandbox, relay.port()).device(sandbox.device());
    (relay, sample)
}

#[test]
fn ctrl_c_after_the_last_message_is_success() {
    let sandbox = Sandbox::start().unwrap();
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let (_relay, sample) = slowly(&sandbox);
        let mut running = Running::new(sample.args(["--count", "1"]).spawn());
        running.until("Received on test/topic: Hello from Rust [1]");
        running.signal(signal);
        let outcome = running.outcome().succeeded();
        assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn ctrl_c_after_the_end_of_the_input_is_success() {
    let sandbox = Sandbox::start().unwrap();
    let (_relay, sample) = slowly(&sandbox);
    let mut running = Running::new(sample.args(["--message", "-"]).spawn_with_input());
    running.until("Subscribed");
    drop(running.child.stdin.take());
    running.signal(Signal::Interrupt);
    let outcome = running.outcome().succeeded();
    assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
}

#[test]
fn ctrl_c_before_the_last_message_is_a_failure() {
    let sandbox = Sandbox::start().unwrap();
    let mut running = Running::new(pubsub(&sandbox).args(["--count", "2", "--interval", "60"]).spawn());
    running.until("Received on test/topic: Hello from Rust [1]");
    running.signal(Signal::Interrupt);
    let outcome = running.outcome().failed(1, &["Error: interrupted"]);
    assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
}

#[test]
fn a_standard_output_that_fails_is_named_and_the_will_is_not_published() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/will");
    let flags = ["--will-topic", "test/will", "--will-message", "gone", "--count", "0", "--interval", "0"];

    // As with `| head -1`.
    let mut child = pubsub(&sandbox).args(flags).spawn();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("Connected to "), "{line}");
    Outcome::of_child(child, "pubsub").failed(1, &["cannot write to the standard output: Broken pipe"]);

    // A full disk does not take the first line either.
    let outcome = Sample::on_full_disk(BINARY).mqtt(&sandbox).device(sandbox.device()).args(flags).run();
    outcome.failed(1, &["cannot write to the standard output: No space left on device"]);

    sandbox.publish("test/will", b"the end").unwrap();
    assert_eq!(observer.next()["payload"], "the end");
    let connections = sandbox.connections();
    assert_eq!(connections.iter().filter(|connection| connection.clean_disconnect).count(), 2);
}
