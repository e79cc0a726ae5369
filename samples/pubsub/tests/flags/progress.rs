//! The status line of long runs.

use sandbox::Sandbox;

use crate::support::pubsub;

/// What takes a line away (ECMA-48 EL).
const ERASE: &str = "\r\u{1b}[K";

#[test]
fn a_terminal_shows_how_far_it_is() {
    let sandbox = Sandbox::start().unwrap();
    let outcome =
        pubsub(&sandbox).args(["--count", "6", "--interval", "0.5"]).run_with_terminal().succeeded();
    let lines: Vec<&str> = outcome.stderr.split(ERASE).collect();
    // Once a second, and in the end it is gone.
    assert!((3..=5).contains(&lines.len()), "{lines:?}");
    assert_eq!((lines.first(), lines.last()), (Some(&""), Some(&"")));
    for line in &lines[1..lines.len() - 1] {
        assert!(line.contains(" published (") && line.ends_with(" received, 0 reconnects\r"), "{line:?}");
        assert!(!line.contains('\n') && !line.starts_with("0 published"), "{line:?}");
    }
    assert!(!outcome.stdout.contains(" published ("));
}

#[test]
fn without_a_terminal_there_is_none() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = pubsub(&sandbox).args(["--count", "3", "--interval", "0.6"]).run().succeeded();
    assert_eq!(outcome.stderr, "");
}
