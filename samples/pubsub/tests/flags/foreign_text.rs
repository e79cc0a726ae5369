//! A broker's words and a user's files on the terminal: what would control it is shown instead.

use std::ffi::OsStr;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::Sandbox;
use testkit::{Outcome, ProtectedKey, Running, Sample};

use crate::support::{BINARY, pubsub};

/// Clears the screen, forges a line, and turns the rest of the text around.
const REASON: &str = "no\x1b[2J\r\nhint: trust me\u{9b}1m\u{202e}";
const SHOWN: &str = r"no\u{1b}[2J\r\nhint: trust me\u{9b}1m\u{202e}";

#[track_caller]
fn assert_is_plain(outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let raw = |character: char| character != '\n' && (character.is_control() || character == '\u{202e}');
        assert!(!text.contains(raw), "{outcome:#?}");
        assert!(!text.lines().any(|line| line.starts_with("hint: trust me")), "{outcome:#?}");
    }
}

#[test]
fn a_reason_string_of_connack_is_shown_escaped() {
    let sandbox = Sandbox::start().unwrap();
    for flags in [&[][..], &["--verbose", "--timeline"], &["--json", "--timeline"]] {
        sandbox.refuse_next_connect(0x87, REASON);
        let outcome = pubsub(&sandbox).args(flags).env("RUST_LOG", "trace").run().failed(1, &[SHOWN]);
        assert_is_plain(&outcome);
    }
}

#[test]
fn a_reason_string_of_disconnect_is_shown_escaped_in_the_log_and_at_the_end() {
    let sandbox = Sandbox::start().unwrap();
    let flags = ["--client-id", "test-1", "--count", "0", "--interval", "0.05"];
    let mut running = Running::new(pubsub(&sandbox).args(flags).spawn());
    running.until("Received on");
    // Of the moment: the client logs it and connects again.
    assert!(sandbox.disconnect("test-1", 0x8b, Some(REASON)));
    running.hears(SHOWN);
    running.until("Received on");
    // Messages may have been received before that.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sandbox.disconnect("test-1", 0x87, Some(REASON)) {
        assert!(Instant::now() < deadline, "the client does not come back");
        thread::sleep(Duration::from_millis(10));
    }
    assert_is_plain(&running.outcome().failed(1, &[SHOWN]));
}

#[test]
fn a_file_name_is_shown_escaped() {
    let sample =
        Sample::new(BINARY).args(["--endpoint", "localhost", "--cert", "\x1b[2J\nc.pem", "--key", "k.pem"]);
    assert_is_plain(&sample.run().failed(1, &[r"the client certificate \u{1b}[2J\nc.pem"]));
}

#[test]
fn a_prompt_shows_the_file_name_escaped() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let key = protected.key_file().with_file_name("a\x1b[2Jdevice.key");
    fs::copy(protected.key_file(), &key).unwrap();
    let sample = Sample::new(BINARY).mqtt(&sandbox).args(["--count", "1"]);
    let sample = sample.args([OsStr::new("--cert"), sandbox.device().cert_file.as_os_str()]);
    let sample = sample.args([OsStr::new("--key"), key.as_os_str()]);
    sample.answer(r"a\u{1b}[2Jdevice.key: ", ProtectedKey::PASSWORD).succeeded();
}

#[test]
fn a_word_of_the_command_line_is_quoted_escaped() {
    let outcome = Sample::new(BINARY).args(["--endpoint", "a\x1b[2J\nerror: forged", "--cert", "c"]).run();
    let outcome = outcome.failed(2, &[r"a\u{1b}[2J\nerror: forged"]);
    assert!(!outcome.stderr.contains('\x1b'), "{outcome:?}");
}
