//! Tests that need a second process: this binary again, with the one test.

use std::collections::{BTreeSet, VecDeque};
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

const DIRECTORY: &str = "TEST_STORE_DIRECTORY";

/// The directory, in the second process.
pub(super) fn given() -> Option<String> {
    env::var(DIRECTORY).ok()
}

/// `command` with this binary, for the test `name` of the module `of`.
pub(super) fn again(mut command: Command, of: &str, name: &str, directory: &Path) -> Command {
    let (_, of) = of.split_once("::").unwrap();
    let test = format!("{of}::{name}");
    command.args(["--exact", &test, "--nocapture"]).env(DIRECTORY, directory).stdin(Stdio::null());
    command
}

fn this() -> Command {
    Command::new(env::current_exe().unwrap())
}

#[test]
fn a_store_in_use_is_refused_to_this_process_and_to_others() {
    if let Some(directory) = given() {
        println!("{}", refusal(Path::new(&directory), ID));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let words = "client-sensor%2F1.redb hint: stop the other one";
    let (store, _) = open(&directory);
    append(&store, batch(1..=1)).unwrap();
    assert!(refusal(directory.path(), ID).contains(words));
    let other = || {
        again(
            this(),
            module_path!(),
            "a_store_in_use_is_refused_to_this_process_and_to_others",
            directory.path(),
        )
        .output()
        .unwrap()
    };
    let outcome = other();
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(said.contains("another process, or another client of this one, uses"), "{outcome:?}");
    assert!(said.contains(words), "{outcome:?}");
    drop(store);
    // Free again, so that the other has nothing to refuse.
    assert!(!other().status.success());
    assert_eq!(keys(&open(&directory).1), [1]);
}

/// Appends as fast as it can, in batches of all sizes, and forgets most of it.
fn write_until_killed(directory: &str) {
    let (store, left) = Store::open(Path::new(directory), ID).unwrap();
    let mut random = fastrand::Rng::new();
    let mut next = left.last().map_or(1, |last| last.key + 1);
    let mut oldest = left.first().map_or(1, |first| first.key);
    let mut answers = VecDeque::new();
    loop {
        let last = next + random.u64(0..40);
        let (sender, answer) = mpsc::channel();
        store.append(batch(next..=last), move |outcome| {
            outcome.unwrap();
            println!("stored {next} {last}");
            let _ = sender.send(());
        });
        next = last + 1;
        answers.push_back((last, answer));
        if answers.len() > random.usize(0..8) {
            let (last, answer) = answers.pop_front().unwrap();
            answer.recv().unwrap();
            while oldest + 200 < last {
                println!("removing {oldest} {oldest}");
                store.remove(oldest);
                oldest += 1;
            }
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_was_told_is_stored() {
    if let Some(directory) = given() {
        return write_until_killed(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::new();
    let (mut expected, mut possible) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..20 {
        let mut child = again(
            this(),
            module_path!(),
            "a_killed_process_loses_nothing_that_it_was_told_is_stored",
            directory.path(),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = 0;
        let mut note = |line: String| {
            let Some((what, range)) = line.split_once(' ') else { return };
            let Some((first, last)) = range.split_once(' ') else { return };
            let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else { return };
            match what {
                "stored" => expected.extend(first..=last),
                "removing" => {
                    expected.remove(&first);
                    possible.insert(first);
                }
                _ => {}
            }
            told += 1;
        };
        // At least one, and then at a random moment.
        for line in lines.by_ref() {
            let begun = line.starts_with("stored");
            note(line);
            if begun {
                break;
            }
        }
        std::thread::sleep(Duration::from_micros(random.u64(0..60_000)));
        child.kill().unwrap();
        lines.for_each(&mut note);
        child.wait().unwrap();
        assert!(told > 0);
        // Two rounds in three the next process finds what the killed one left, not what this one made of it.
        if round % 3 != 2 {
            continue;
        }
        let (store, left) = open(&directory);
        let found = keys(&left);
        assert!(found.is_sorted());
        for one in &left {
            assert_eq!(one.message, message(one.key));
        }
        let found = BTreeSet::from_iter(found);
        let lost: Vec<_> = expected.difference(&found).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} of {}", expected.len());
        // A message that was written and not told yet counts from now on.
        expected.extend(found.difference(&possible));
        drop(store);
    }
    let (store, left) = open(&directory);
    let found = BTreeSet::from_iter(keys(&left));
    let lost: Vec<_> = expected.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
    drop(store);
}
