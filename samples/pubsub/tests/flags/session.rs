//! Sessions, the queue of messages that wait, and messages that outlive the process.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::Sandbox;
use tempfile::TempDir;
use testkit::{Observer, Running, Signal};

use crate::support::{allow_all, lines, quick, waiting};

#[test]
fn a_resumed_session_holds_what_came_in_between() {
    let sandbox = Sandbox::start().unwrap();
    let run = |session: &str| {
        let flags =
            ["--client-id", "test-device", "--session", session, "--count", "1", "--message", session];
        quick(&sandbox).args(flags).run().succeeded().stdout
    };
    run("resume");
    sandbox.publish("test/topic", b"meanwhile").unwrap();
    assert!(run("resume").contains("Received on test/topic: meanwhile\n"));
    // The other two begin anew, and leave nothing behind.
    for session in ["clean", "resume-after-first"] {
        sandbox.publish("test/topic", b"meanwhile").unwrap();
        assert!(!run(session).contains("meanwhile"), "{session}");
        sandbox.publish("test/topic", b"meanwhile").unwrap();
        assert!(!run("resume").contains("meanwhile"), "after {session}");
    }
}

#[test]
fn a_session_expires() {
    let sandbox = Sandbox::start().unwrap();
    let flags =
        ["--client-id", "test-device", "--session", "resume", "--session-expiry", "1", "--count", "1"];
    let run = || quick(&sandbox).args(flags).run().succeeded().stdout;
    run();
    // The broker looks every second.
    thread::sleep(Duration::from_secs(3));
    sandbox.publish("test/topic", b"meanwhile").unwrap();
    assert!(!run().contains("meanwhile"));
}

#[test]
fn what_waits_is_published_when_the_broker_is_back() {
    let mut sandbox = Sandbox::start().unwrap();
    let mut running = Running::new(lines(&sandbox).spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"before\n").unwrap();
    running.until("Received on test/topic: before");
    sandbox.stop();
    stdin.write_all(b"one\ntwo\nthree\n").unwrap();
    drop(stdin);
    sandbox.restart().unwrap();
    let outcome = running.outcome().succeeded();
    for payload in ["one", "two", "three"] {
        assert!(outcome.stdout.contains(&format!("Published to test/topic: {payload}\n")), "{outcome:#?}");
        assert!(outcome.stdout.contains(&format!("Received on test/topic: {payload}\n")), "{outcome:#?}");
    }
}

#[test]
fn a_full_queue_gives_up_the_oldest_where_it_may() {
    let mut sandbox = Sandbox::start().unwrap();
    let flags = ["--queue-messages", "3", "--when-full", "drop-oldest"];
    let mut running = Running::new(lines(&sandbox).args(flags).spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"before\n").unwrap();
    running.until("Received on test/topic: before");
    sandbox.stop();
    running.hears("the connection to");
    let numbers: String = (1..=300).map(|number| format!("{number}\n")).collect();
    stdin.write_all(numbers.as_bytes()).unwrap();
    for _ in 1..=297 {
        running.hears("dropped the oldest message");
    }
    drop(stdin);
    sandbox.restart().unwrap();
    let outcome = running.outcome().succeeded();
    let published: Vec<_> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix("Published to test/topic: ")).collect();
    assert_eq!(published, ["before", "298", "299", "300"]);
}

#[test]
fn a_full_queue_takes_no_more_lines_where_nothing_may_be_lost() {
    let mut sandbox = Sandbox::start().unwrap();
    let flags = ["--queue-messages", "3", "--when-full", "refuse-new"];
    let mut running = Running::new(lines(&sandbox).args(flags).spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"0\n").unwrap();
    running.until("Received on test/topic: 0");
    sandbox.stop();
    running.hears("the connection to");
    let numbers: String = (1..=50).map(|number| format!("{number}\n")).collect();
    stdin.write_all(numbers.as_bytes()).unwrap();
    drop(stdin);
    sandbox.restart().unwrap();
    let outcome = running.outcome().succeeded();
    assert_eq!(outcome.stdout.matches("Received on").count(), 51);
    assert!(!outcome.stderr.contains("queue is full"), "{}", outcome.stderr);
}

#[test]
fn persisted_messages_outlive_the_process() {
    let mut sandbox = Sandbox::start().unwrap();
    allow_all(&sandbox);
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store").display().to_string();
    let persisted =
        |sandbox: &Sandbox| lines(sandbox).args(["--client-id", "test-device", "--persist", &store]);
    let mut running = Running::new(persisted(&sandbox).spawn_with_input());
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all(b"before\n").unwrap();
    running.until("Received on test/topic: before");
    sandbox.stop();
    running.hears("the connection to");
    stdin.write_all(b"line one\nline two\n").unwrap();
    drop(stdin);
    // It waits for the broker; Ctrl-C leaves them to the next run.
    until_stored(&directory, "line two");
    running.signal(Signal::Interrupt);
    let outcome = running.outcome();
    assert!(outcome.stderr.contains("2 messages stay in the message store for the next run"), "{outcome:#?}");

    sandbox.restart().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    persisted(&sandbox).input("line three\n").succeeded();
    let mut seen: Vec<_> = (0..3).map(|_| observer.next()["payload"].as_str().unwrap().to_owned()).collect();
    seen.sort();
    assert_eq!(seen, ["line one", "line three", "line two"]);
}

/// Waits until the message store has this payload.
fn until_stored(directory: &TempDir, payload: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds(directory.path(), payload.as_bytes()) {
        assert!(Instant::now() < deadline, "{payload:?} is not in the store");
        // A file tells nobody that it has changed.
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a file below `directory` has these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.map_while(Result::ok).map(|entry| entry.path()).any(|path| {
        let content = || fs::read(&path).unwrap_or_default();
        path.is_dir() && holds(&path, bytes) || content().windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn quotas_are_kept_to_unless_they_are_switched_off() {
    let sandbox = Sandbox::start().unwrap();
    let many = "x\n".repeat(350);
    let time = |flags: &[&str]| {
        let began = Instant::now();
        lines(&sandbox).args(flags).input(many.as_str()).succeeded();
        began.elapsed()
    };
    // 100 at once, and 100 in each of the seconds after that.
    let least = Duration::from_secs(3);
    let limited = time(&[]);
    assert!(limited >= least, "{limited:?}");
    // On a machine that is busy with something else it may take another attempt.
    assert!((0..5).any(|_| time(&["--no-flow-control"]) < least));
}

#[test]
fn topic_aliases_change_nothing_for_subscribers() {
    let sandbox = Sandbox::start().unwrap();
    let observer = Observer::subscribe(&sandbox, "test-observer", "test/topic");
    let outcome = quick(&sandbox).args(["--topic-aliases", "8", "--count", "3"]).run().succeeded();
    assert_eq!(outcome.stdout.matches("Received on test/topic: ").count(), 3);
    for _ in 0..3 {
        assert_eq!(observer.next()["topic"], "test/topic");
    }
}

#[test]
fn the_time_for_acknowledgements_is_limited() {
    let mut sandbox = Sandbox::start().unwrap();
    let running = waiting(&mut sandbox, "1");
    running.signal(Signal::Terminate);
    let asked = Instant::now();
    let outcome = running.outcome();
    let took = asked.elapsed();
    assert!((800..4000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("not acknowledged: test/topic: Hello"), "{outcome:#?}");
    // Said once, by the error, and not by the log as well.
    assert_eq!(outcome.stderr.matches("that it has not acknowledged").count(), 1, "{outcome:#?}");
}
