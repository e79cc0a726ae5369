//! What others publish on the topic, groups that share it, and messages that do not come back.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{allow_all, lines, pubsub, quick, waiting};
use sandbox::{Principal, Sandbox};
use testkit::{Running, Sample, Signal};

#[test]
fn a_flood_of_foreign_messages_holds_nothing_up() {
    let sandbox = Sandbox::start().unwrap();
    let mut running = Running::new(pubsub(&sandbox).args(["--count", "30", "--interval", "0.05"]).spawn());
    running.until("Received on");
    for number in 0..500 {
        sandbox.publish("test/topic", format!("foreign {number}").as_bytes()).unwrap();
    }
    let outcome = running.outcome().succeeded();
    let received = |what: &str| outcome.stdout.matches(&format!("Received on test/topic: {what}")).count();
    assert_eq!(received("foreign"), 500);
    assert_eq!(received("Hello from Rust"), 30);
}

#[test]
fn messages_from_before_do_not_count_as_its_own() {
    let sandbox = Sandbox::start().unwrap();
    let mut running =
        Running::new(pubsub(&sandbox).args(["--count", "3", "--interval", "0.3", "--message", "hi"]).spawn());
    running.until("Subscribed");
    for _ in 0..5 {
        sandbox.publish("test/topic", b"hi [0]").unwrap();
    }
    let outcome = running.outcome().succeeded();
    for number in 1..=3 {
        let published = outcome.stdout.find(&format!("Published to test/topic: hi [{number}]"));
        let received = outcome.stdout.find(&format!("Received on test/topic: hi [{number}]"));
        assert!(published.is_some() && published < received, "{}", outcome.stdout);
    }
}

#[test]
fn a_message_that_does_not_come_back_is_an_error() {
    let sandbox = Sandbox::start().unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Connect","iot:Subscribe","iot:Publish"],"Resource":"*"}]}"#;
    sandbox.set_policies(Principal::Device, &[policy.to_owned()]).unwrap();
    let began = Instant::now();
    let words = ["within 10 s", "receive on test/topic", "hint:", "iot:Receive"];
    quick(&sandbox).args(["--count", "1"]).run().failed(1, &words);
    assert!(began.elapsed() > Duration::from_secs(9), "{:?}", began.elapsed());
    // Nobody waits for what another member of the group may get.
    quick(&sandbox).args(["--count", "2", "--shared-group", "group"]).run().succeeded();
}

#[test]
fn members_of_a_group_share_the_messages() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    for version in ["5", "3.1.1"] {
        let flags = ["--mqtt-version", version, "--topic", version, "--shared-group", "rust-sample"];
        let member = |count: &str, message: &str| -> Sample {
            pubsub(&sandbox).args(flags).args(["--count", count, "--interval", "0.05", "--message", message])
        };
        let mut one = Running::new(member("0", "one").spawn());
        one.until("Published");
        let mut two = Running::new(member("0", "two").spawn());
        let subscribed = two.until("Subscribed");
        assert_eq!(subscribed, format!("Subscribed to $share/rust-sample/{version}"));
        two.until("Published");
        for number in 0..20 {
            sandbox.publish(version, format!("shared {number}").as_bytes()).unwrap();
        }
        // What is acknowledged some time later was published behind them.
        for _ in 0..5 {
            one.until("Published");
            two.until("Published");
        }
        let outputs = [one, two].map(|member| {
            member.signal(Signal::Interrupt);
            member.outcome().succeeded().stdout
        });
        let received = |output: &String, number: u32| {
            output.lines().filter(|line| line.ends_with(&format!(": shared {number}"))).count()
        };
        for number in 0..20 {
            let by = outputs.each_ref().map(|output| received(output, number));
            assert_eq!(by[0] + by[1], 1, "shared {number}: {by:?}");
        }
        for output in &outputs {
            assert!((0..20).any(|number| received(output, number) == 1), "{output}");
        }
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_acknowledgements() {
    let mut sandbox = Sandbox::start().unwrap();
    let mut running = waiting(&mut sandbox, "60");
    running.signal(Signal::Interrupt);
    running.hears_no_more("dropped the oldest message", Duration::from_secs(1));
    assert!(running.child.try_wait().unwrap().is_none(), "it waits for acknowledgements");
    let second = Instant::now();
    running.signal(Signal::Interrupt);
    running.outcome().failed(1, &["Error: interrupted"]);
    assert!(second.elapsed() < Duration::from_secs(2), "{:?}", second.elapsed());
}

#[test]
#[cfg(target_os = "linux")]
fn a_long_run_stays_small() {
    let sandbox = Sandbox::start().unwrap();
    let mut running = Running::new(lines(&sandbox).args(["--no-flow-control"]).spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    thread::spawn(move || (0..12_000).try_for_each(|number| writeln!(stdin, "{number} {}", "x".repeat(500))));
    let status = format!("/proc/{}/status", running.child.id());
    let kilobytes = || -> u64 {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    running.until("Received on test/topic: 2000 ");
    let before = kilobytes();
    running.until("Received on test/topic: 11000 ");
    let after = kilobytes();
    running.outcome().succeeded();
    // 9000 messages of 500 bytes are 4,500 kB.
    assert!(after < before + 1500, "{before} kB, and then {after} kB");
}

#[test]
fn ctrl_c_in_a_flood_is_a_clean_end() {
    let sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    let mut running = Running::new(quick(&sandbox).args(["--count", "0"]).spawn());
    running.until("Received on");
    // What is sent with QoS 0 is read until too much waits, and the acknowledgements wait behind that.
    let flood = ["--qos", "0", "--no-flow-control", "--shared-group", "group"];
    let mut flood = Running::new(lines(&sandbox).args(flood).spawn_with_input());
    let mut stdin = flood.child.stdin.take().unwrap();
    thread::spawn(move || (0..).try_for_each(|number| writeln!(stdin, "{number} {}", "x".repeat(500))));
    for _ in 0..3000 {
        flood.until("Published");
    }
    running.signal(Signal::Interrupt);
    let outcome = running.outcome();
    flood.signal(Signal::Kill);
    flood.outcome();
    let outcome = outcome.succeeded();
    assert!(outcome.stdout.ends_with("Disconnected\n"));
    assert_eq!(outcome.stderr, "");
}
