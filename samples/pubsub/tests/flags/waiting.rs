//! `--wait-for-network`: the broker is not there yet when the sample starts.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{BINARY, lines, quick};
use sandbox::Sandbox;
use testkit::{Running, Sample, Signal};

#[test]
fn a_device_that_boots_before_its_network_gets_its_messages_through() {
    let mut sandbox = Sandbox::start().unwrap();
    let store = tempfile::tempdir().unwrap();
    sandbox.stop();
    let flags = ["--count", "0", "--client-id", "test-device", "--wait-for-network", "--persist"];
    let sample = lines(&sandbox).args(flags).args([store.path()]);
    let mut running = Running::new(sample.spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo\n").unwrap();
    // More than the one attempt that it has without the flag.
    for _ in 0..2 {
        running.hears("cannot open a TCP connection");
    }
    sandbox.restart().unwrap();
    for payload in ["one", "two"] {
        running.until(&format!("Received on test/topic: {payload}"));
    }
    stdin.write_all(b"three\n").unwrap();
    running.until("Received on test/topic: three");
    running.signal(Signal::Terminate);
    let outcome = running.outcome().succeeded();
    assert!(outcome.stdout.starts_with("Connected to "), "{outcome:#?}");
    assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
}

#[test]
fn without_it_the_first_attempt_is_the_only_one() {
    let mut sandbox = Sandbox::start().unwrap();
    sandbox.stop();
    let outcome = quick(&sandbox).run().failed(1, &["cannot open a TCP connection", "hint:"]);
    assert_eq!(outcome.stdout, "");
    assert_eq!(outcome.stderr.matches("cannot open a TCP connection").count(), 1, "{outcome:#?}");
}

#[test]
fn what_will_never_heal_ends_it_all_the_same() {
    let sandbox = Sandbox::start().unwrap();
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    let run = |sample: Sample| sample.mqtt(&sandbox).args(["--wait-for-network"]).run();
    let outcome = run(Sample::new(BINARY).device(&stranger));
    outcome.failed(1, &["Error: the client has stopped", "rejected the client certificate", "hint:"]);
    let other = Sample::new(BINARY).device(sandbox.device()).args(["--client-id", "other-1"]);
    run(other).failed(1, &["not authorized", "client/other-1"]);
    // And a store that cannot be used is no matter of the network.
    let store = ["--client-id", "test-1", "--persist", "/dev/null"];
    run(Sample::new(BINARY).device(sandbox.device()).args(store)).failed(1, &["/dev/null"]);
}

#[test]
fn ctrl_c_ends_the_wait() {
    let mut sandbox = Sandbox::start().unwrap();
    sandbox.stop();
    let mut running = Running::new(quick(&sandbox).args(["--wait_for_network"]).spawn());
    running.hears("cannot open a TCP connection");
    let asked = Instant::now();
    running.signal(Signal::Interrupt);
    running.outcome().failed(1, &["Error: interrupted"]);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}
