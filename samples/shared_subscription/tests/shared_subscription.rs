//! The sample against a sandbox, and what it says when it is refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sandbox::relay::{Options, Relay};
use sandbox::{Principal, Sandbox};
use serde_json::Value;
use testkit::{Mosquitto, Outcome, Running, Sample, Signal, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_shared_subscription");

fn sample(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).mqtt(sandbox).device(sandbox.device()).args(["--interval", "0"])
}

/// How often each message was received, by client ID.
fn receivers(outcome: &Outcome) -> BTreeMap<String, Vec<String>> {
    let events = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut receivers = BTreeMap::<_, Vec<_>>::new();
    for event in events.filter(|event| event["event"] == "received") {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        receivers.entry(text("client_id")).or_default().push(text("payload"));
    }
    receivers
}

#[test]
fn each_message_goes_to_one_of_two_subscribers() {
    let sandbox = Sandbox::start().unwrap();
    for version in ["5", "3.1.1"] {
        let flags = ["--client-id", "test-", "--count", "6", "--message", "hi", "--json"];
        let outcome = sample(&sandbox).args(flags).args(["--mqtt-version", version]).run().succeeded();
        let receivers = receivers(&outcome);
        assert_eq!(receivers.keys().collect::<Vec<_>>(), ["test-2", "test-3"], "{}", outcome.stdout);
        let mut all: Vec<_> = receivers.into_values().flatten().collect();
        all.sort();
        assert_eq!(all, ["hi [1]", "hi [2]", "hi [3]", "hi [4]", "hi [5]", "hi [6]"]);
        assert_eq!(outcome.stderr, "");
    }
    assert!(sandbox.connections().iter().all(|connection| connection.clean_disconnect));
}

#[test]
fn the_report_names_the_client_of_each_event() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = sample(&sandbox).args(["--client-id", "test-", "--count", "1"]).run().succeeded();
    let port = sandbox.mqtt_port();
    let mut lines = outcome.stdout.lines();
    for expected in [
        &format!("Connected to localhost:{port} as test-1"),
        &format!("Connected to localhost:{port} as test-2"),
        &format!("Connected to localhost:{port} as test-3"),
        "Client test-2",
        "Subscribed to $share/rust-sample/test/topic",
        "Client test-3",
        "Subscribed to $share/rust-sample/test/topic",
        "Client test-1",
        "Published to test/topic: Hello from Rust [1]",
    ] {
        assert_eq!(lines.next(), Some(expected), "{}", outcome.stdout);
    }
    assert!(["Client test-2", "Client test-3"].contains(&lines.next().unwrap()), "{}", outcome.stdout);
    let rest: Vec<_> = lines.collect();
    assert_eq!(rest[0], "Received on test/topic: Hello from Rust [1]");
    assert_eq!(rest.iter().filter(|line| **line == "Disconnected").count(), 3);
}

#[test]
fn the_official_flags_work() {
    let sandbox = Sandbox::start().unwrap();
    for flag in ["--group_identifier", "--group-identifier", "--shared-group"] {
        let group = [flag, "rust-sample", "--client_id", "test-", "--count", "2", "--topic", "test/topic"];
        let outcome = sample(&sandbox).args(group).run().succeeded();
        assert!(outcome.stdout.contains("Subscribed to $share/rust-sample/test/topic"));
    }
}

#[test]
fn ctrl_c_ends_all_three_with_a_disconnect() {
    let sandbox = Sandbox::start().unwrap();
    let mut running = Running::new(sample(&sandbox).args(["--count", "0"]).spawn());
    running.until("Received");
    running.signal(Signal::Interrupt);
    let outcome = running.outcome().succeeded();
    assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
    let connections = sandbox.connections();
    assert_eq!(connections.len(), 3);
    assert!(connections.iter().all(|connection| connection.clean_disconnect));
}

#[test]
fn ctrl_c_after_the_last_message_is_success() {
    let sandbox = Sandbox::start().unwrap();
    // Its UNSUBSCRIBE is under way for 600 ms.
    let slow = Options { one_way_delay: Duration::from_millis(300) };
    let relay = Relay::start(sandbox.mqtt_port(), slow).unwrap();
    let sample = Sample::new(BINARY).to_port(&sandbox, relay.port()).device(sandbox.device());
    let mut running = Running::new(sample.args(["--count", "1"]).spawn());
    running.until("Received on");
    running.signal(Signal::Interrupt);
    let outcome = running.outcome().succeeded();
    assert_eq!(outcome.stdout.matches("Disconnected\n").count(), 3, "{outcome:#?}");
}

#[test]
fn a_standard_output_that_fails_ends_all_three_with_a_disconnect() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = Sample::on_full_disk(BINARY).mqtt(&sandbox).device(sandbox.device()).run();
    outcome.failed(1, &["cannot write to the standard output: No space left on device"]);
    let connections = sandbox.connections();
    assert_eq!(connections.iter().filter(|connection| connection.clean_disconnect).count(), 3);
}

#[test]
fn it_waits_for_the_network_where_it_is_told_to() {
    let mut sandbox = Sandbox::start().unwrap();
    sandbox.stop();
    sample(&sandbox).run().failed(1, &["cannot open a TCP connection"]);
    let patient = sample(&sandbox).args(["--count", "2", "--wait-for-network"]);
    let mut running = Running::new(patient.spawn());
    running.hears("cannot open a TCP connection");
    sandbox.restart().unwrap();
    let outcome = running.outcome().succeeded();
    assert_eq!(outcome.stdout.matches("Received on").count(), 2, "{outcome:#?}");

    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    let refused = Sample::new(BINARY).mqtt(&sandbox).device(&stranger).args(["--wait-for-network"]);
    refused.run().failed(1, &["rejected the client certificate", "hint:"]);
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    policy::is_sufficient_and_minimal(&sandbox, Principal::Device, "shared_subscription", || {
        sample(&sandbox).args(["--count", "2"]).run()
    });
}

#[test]
fn refusals_name_what_was_refused() {
    let sandbox = Sandbox::start().unwrap();
    sample(&sandbox)
        .args(["--group-identifier", "other"])
        .run()
        .failed(1, &["iot:Subscribe", "topicfilter/$share/other/test/topic"]);
    for (flags, words) in [
        (["--group-identifier", "a/b"], ["--group-identifier", "/"]),
        (["--group-identifier", ""], ["--group-identifier", "empty"]),
        (["--count", "many"], ["--count", "invalid"]),
        (["--topic", "a/#"], ["--topic", "wildcard"]),
    ] {
        sample(&sandbox).args(flags).run().failed(2, &words);
    }
}

#[test]
fn the_timeline_shows_all_three_connections() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = sample(&sandbox).args(["--count", "1", "--timeline"]).run().succeeded();
    let (events, timeline) = outcome.stdout.split_once("Attempt 1 to ").unwrap();
    assert!(events.trim_end().ends_with("Disconnected"), "{events}");
    assert!(timeline.contains("Attempt 2 to ") && timeline.contains("Attempt 3 to "), "{timeline}");
    assert_eq!(timeline.matches("Disconnected").count(), 0, "{timeline}");
}

#[test]
fn a_second_broker_takes_it_too() {
    let broker = Mosquitto::start();
    for version in ["5", "3.1.1"] {
        let sample = Sample::new(BINARY)
            .args(["--endpoint", "localhost", "--port", &broker.mqtt_port().to_string()])
            .args(["--ca-file".into(), broker.file("ca.pem"), "--cert".into(), broker.file("client.pem")])
            .args(["--key".into(), broker.file("client.key")])
            .args(["--count", "4", "--interval", "0", "--mqtt-version", version, "--json"]);
        let receivers = receivers(&sample.run().succeeded());
        assert_eq!(receivers.values().map(Vec::len).sum::<usize>(), 4, "{receivers:?}");
    }
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    readme::commands_work(sample, "shared_subscription", BINARY, &sandbox);
}
