//! A disk without room, in a process of its own each.

use std::path::Path;
use std::process::Command;

use super::processes::{again, given};
use super::*;

/// Appends from the key `first` on, messages like that of the key `like`, until there is no room.
fn fill_up(store: &Store, first: u64, like: u64) -> u64 {
    for key in first.. {
        match append(store, vec![(key, Arc::new(message(like)))]) {
            Ok(()) => assert!(key < 50_000, "there is a limit"),
            Err(error) => {
                let words = format!("{} hint: {}", Chain(&error), error.hint().unwrap_or_default());
                assert!(words.starts_with("cannot write to the message store "), "{words}");
                assert!(words.contains(" hint: free some space"), "{words}");
                return key;
            }
        }
    }
    unreachable!()
}

/// Appends one message after the other until one is taken.
fn append_at_last(store: &Store, mut key: u64) -> u64 {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    while let Err(error) = append(store, batch(key..=key)) {
        assert!(Instant::now() < deadline, "{error:?}");
        key += 1;
    }
    key
}

fn run(mut command: Command) {
    let outcome = command.output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success() && said.contains("1 passed"), "{outcome:#?}");
}

#[test]
fn a_file_that_may_not_grow_refuses_until_something_is_removed() {
    if let Some(directory) = given() {
        let directory = Path::new(&directory);
        let (store, _) = Store::open(directory, ID).unwrap();
        let refused = fill_up(&store, 1, 50);
        // Still, and for those that come together.
        let answers: Vec<_> =
            (1..=5).map(|more| begin(&store, batch(refused + more..=refused + 100))).collect();
        assert!(answers.iter().all(|answer| answer.recv_timeout(ANSWER_TIMEOUT).unwrap().is_err()));
        (1..refused / 2).for_each(|key| store.remove(key));
        let taken = append_at_last(&store, refused + 200);
        drop(store);
        let (_store, left) = Store::open(directory, ID).unwrap();
        let expected: Vec<_> = (refused / 2..refused).chain([taken]).collect();
        assert_eq!(keys(&left), expected);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap());
    let name = "a_file_that_may_not_grow_refuses_until_something_is_removed";
    run(again(shell, module_path!(), name, directory.path()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_refuses_until_there_is_room() {
    if let Some(directory) = given() {
        let directory = Path::new(&directory);
        let filler = directory.join("filler");
        fs::write(&filler, vec![1; 2 * 1024 * 1024]).unwrap();
        let (store, _) = Store::open(directory, ID).unwrap();
        let large = fill_up(&store, 1, 50);
        // To the last page.
        let small = fill_up(&store, large + 1, 1);
        // A removal needs room itself, and gives some.
        (1..5).for_each(|key| store.remove(key));
        let taken = append_at_last(&store, small + 1);
        let refused = fill_up(&store, taken + 1, 50);
        fs::remove_file(filler).unwrap();
        let last = append_at_last(&store, refused + 1);
        drop(store);
        let (_store, left) = Store::open(directory, ID).unwrap();
        let expected = (5..large).chain(large + 1..small).chain(taken..refused).chain([last]);
        assert_eq!(keys(&left), expected.collect::<Vec<_>>());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A file system in a name space of its own ends with its process. It takes root, or user name spaces.
    let mut own = Command::new("unshare");
    own.args(["--map-root-user", "--mount"]);
    let mount = "mount -t tmpfs -o size=6m none \"$0\"";
    own.args(["sh", "-c", &format!("{mount} && exec \"$@\"")]).arg(directory.path());
    own.arg(std::env::current_exe().unwrap());
    run(again(own, module_path!(), "a_full_disk_refuses_until_there_is_room", directory.path()));
}
