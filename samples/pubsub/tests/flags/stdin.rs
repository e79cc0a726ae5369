//! `--message -`: each line of the standard input is a message.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{BINARY, lines};
use sandbox::Sandbox;
use sandbox::relay::{Direction, Fault, Options, Reach, Relay};
use testkit::{Observer, Outcome, Running, Sample, Signal, readme};

/// The payloads of the events of one kind.
fn payloads<'a>(outcome: &'a Outcome, event: &str) -> Vec<&'a str> {
    let start = format!("{event} test/topic: ");
    outcome.stdout.lines().filter_map(|line| line.strip_prefix(&start)).collect()
}

#[test]
fn a_thousand_lines_are_published_in_order() {
    let sandbox = Sandbox::start().unwrap();
    let numbers: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    for version in ["5", "3.1.1"] {
        let flags = ["--no-flow-control", "--mqtt-version", version];
        let outcome = lines(&sandbox).args(flags).input(numbers.join("\n")).succeeded();
        assert_eq!(payloads(&outcome, "Published to"), numbers);
        assert_eq!(payloads(&outcome, "Received on"), numbers);
        assert_eq!(outcome.stderr, "");
        assert!(outcome.stdout.ends_with("Disconnected\n"));
    }
}

#[test]
fn lines_do_not_wait_for_the_round_trip_of_the_one_before() {
    let sandbox = Sandbox::start().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    let relay = Relay::start(sandbox.mqtt_port(), Options::default()).unwrap();
    let sample = Sample::new(BINARY).to_port(&sandbox, relay.port()).device(sandbox.device());
    let mut running = Running::new(sample.args(["--message", "-"]).spawn_with_input());
    running.until("Subscribed");
    // No answer comes back from now on.
    relay.inject(Reach::Live, Fault::Loss(Direction::ToClient));
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"a\nb\nc\n").unwrap();
    for payload in ["a", "b", "c"] {
        assert_eq!(observer.next()["payload"], payload);
    }
}

#[test]
fn lines_are_published_as_they_are() {
    let sandbox = Sandbox::start().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    let input = b"one\r\n\ntwo  \nthr\ree\n\xff\xfe\nthe last".to_vec();
    let outcome = lines(&sandbox).input(input).succeeded();
    let expected = ["one", "", "two  ", "thr\\ree", "\u{fffd}\u{fffd}", "the last"];
    assert_eq!(payloads(&outcome, "Published to"), expected);
    assert_eq!(payloads(&outcome, "Received on"), expected);
    let seen: Vec<_> = (0..6).map(|_| observer.next()["payload"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, ["one", "", "two  ", "thr\ree", "\u{fffd}\u{fffd}", "the last"]);
}

#[test]
fn no_line_is_no_message() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = lines(&sandbox).input("").succeeded();
    assert!(outcome.stdout.ends_with("Subscribed to test/topic\nDisconnected\n"), "{}", outcome.stdout);
}

#[test]
fn count_is_the_most_that_is_taken() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = lines(&sandbox).args(["--count", "2"]).input("a\nb\nc\n").succeeded();
    assert_eq!(payloads(&outcome, "Published to"), ["a", "b"]);
    // And does not wait for lines that it does not take.
    let mut child = lines(&sandbox).args(["--count", "1"]).spawn_with_input();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a\n").unwrap();
    Outcome::of_child(child, "pubsub").succeeded();
    drop(stdin);
}

#[test]
fn an_interval_holds_for_lines_too() {
    let sandbox = Sandbox::start().unwrap();
    let began = Instant::now();
    lines(&sandbox).args(["--interval", "0.4"]).input("a\nb\nc\n").succeeded();
    assert!(began.elapsed() >= Duration::from_millis(800), "{:?}", began.elapsed());
}

#[test]
fn a_line_that_is_too_long_ends_the_run() {
    let sandbox = Sandbox::start().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    let longest = "x".repeat(128 * 1024);
    let outcome = lines(&sandbox).input(format!("fits\n{longest}\ny{longest}\nlost\n"));
    outcome.failed(1, &["line 3", "131072"]);
    assert_eq!(observer.next()["payload"], "fits");
    assert_eq!(observer.next()["payload"].as_str().unwrap().len(), longest.len());
    // Nothing came in between.
    sandbox.publish("test/topic", b"the end").unwrap();
    assert_eq!(observer.next()["payload"], "the end");
    // What never ends is not read to its end either.
    let endless = std::fs::File::open("/dev/zero").unwrap();
    let mut child = lines(&sandbox).spawn_with_input();
    let mut stdin = child.stdin.take().unwrap();
    thread::spawn(move || std::io::copy(&mut std::io::BufReader::new(endless), &mut stdin));
    Outcome::of_child(child, "pubsub").failed(1, &["line 1", "131072"]);
}

#[test]
fn ctrl_c_works_while_it_waits_for_a_line() {
    let sandbox = Sandbox::start().unwrap();
    let mut running = Running::new(lines(&sandbox).spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"a line\n").unwrap();
    running.until("Received on test/topic: a line");
    let began = Instant::now();
    running.signal(Signal::Interrupt);
    let outcome = running.outcome().succeeded();
    drop(stdin);
    assert!(outcome.stdout.ends_with("Disconnected\n"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(sandbox.connections()[0].clean_disconnect);
}

#[test]
fn a_refused_line_ends_the_run_and_says_what_was_not_delivered() {
    let sandbox = Sandbox::start().unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Connect","iot:Subscribe"],"Resource":"*"}]}"#;
    sandbox.set_policies(sandbox::Principal::Device, &[policy.to_owned()]).unwrap();
    let outcome = lines(&sandbox).input("one\ntwo\nthree\n");
    let words = ["refused to publish to test/topic", "hint:", "not acknowledged: test/topic: one"];
    outcome.failed(1, &words);
}

#[test]
fn cargo_xtask_run_hands_its_input_on() {
    let mut command = readme::cargo();
    command.args(["xtask", "run", "pubsub", "--", "--message", "-"]);
    let outcome = Outcome::of_input_within(&mut command, "a\nb\n", Outcome::BUILD_LIMIT).succeeded();
    assert_eq!(payloads(&outcome, "Received on"), ["a", "b"]);
}

#[test]
fn cargo_xtask_run_ends_with_its_sandbox() {
    // Builds what it runs, where `cargo xtask test` has not.
    readme::xtask(&["run", "pubsub", "--", "--help"]).succeeded();
    for (signal, code) in [(Signal::Terminate, Some(0)), (Signal::Kill, None)] {
        let mut command = readme::cargo();
        command.args(["xtask", "run", "pubsub", "--", "--message", "-"]).process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut running = Running::new(child.unwrap());
        let connected = running.until("Connected to localhost:");
        running.until("Subscribed");
        let port: u16 = connected.split([':', ' ']).nth(3).unwrap().parse().unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(), "the sandbox runs");
        running.signal(signal);
        assert_eq!(running.outcome().code, code);
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            assert!(Instant::now() < deadline, "the sandbox still runs after {signal:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
