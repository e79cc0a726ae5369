//! The store with the disk and the processes that it has to do with.

use std::fs;
use std::ops::RangeInclusive;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use iot_transport::text::Chain;
use redb::{ReadableDatabase, TableDefinition};
use tempfile::TempDir;

use super::*;
use crate::QoS;

#[cfg(unix)]
mod full_disk;
mod processes;

const ID: &str = "sensor/1";
const FILE: &str = "client-sensor%2F1.redb";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A message that its key determines, some of them large.
fn message(key: u64) -> Message {
    let length = if key.is_multiple_of(50) { 128 * 1024 } else { 128 };
    let mut payload = key.to_be_bytes().to_vec();
    payload.resize(length, key as u8);
    Message::new(format!("a/{key}"), payload)
}

fn batch(keys: RangeInclusive<u64>) -> Vec<(u64, Arc<Message>)> {
    keys.map(|key| (key, Arc::new(message(key)))).collect()
}

fn begin(store: &Store, batch: Vec<(u64, Arc<Message>)>) -> Receiver<Result<(), Error>> {
    let (sender, outcome) = mpsc::channel();
    store.append(batch, move |result| sender.send(result).unwrap());
    outcome
}

fn append(store: &Store, batch: Vec<(u64, Arc<Message>)>) -> Result<(), Error> {
    begin(store, batch).recv_timeout(ANSWER_TIMEOUT).expect("an answer")
}

fn keys(stored: &[Stored]) -> Vec<u64> {
    stored.iter().map(|one| one.key).collect()
}

fn open(directory: &TempDir) -> (Store, Vec<Stored>) {
    Store::open(directory.path(), ID).unwrap()
}

/// The error, its causes and its hint.
fn refusal(directory: &Path, client_id: &str) -> String {
    let error = Store::open(directory, client_id).expect_err("this cannot be opened");
    assert!(matches!(error, Error::Store { doing: "open", .. }), "{error:?}");
    format!("{} hint: {}", Chain(&error), error.hint().unwrap_or_default())
}

#[test]
fn every_field_comes_back_in_the_order_of_the_keys() {
    let directory = tempfile::tempdir().unwrap();
    let full = Message {
        payload: (0..=u8::MAX).cycle().take(128 * 1024).collect(),
        qos: QoS::AtMostOnce,
        retain: true,
        content_type: Some(String::new()),
        response_topic: Some("r/\u{1f980}".to_owned()),
        correlation_data: Some(b"\0\xff".to_vec()),
        expiry: Some(Duration::from_secs(u32::MAX.into())),
        user_properties: vec![(String::new(), String::new()), ("k".to_owned(), "v".to_owned())],
        ..Message::new("t".repeat(65_535), "")
    };
    let messages = [(u64::MAX, full), (7, Message::default()), (300, Message::new("a", "x"))];
    let (store, left) = open(&directory);
    assert_eq!(left, []);
    append(&store, messages.iter().map(|(key, one)| (*key, Arc::new(one.clone()))).collect()).unwrap();
    append(&store, Vec::new()).unwrap();
    drop(store);
    let (_store, mut left) = open(&directory);
    // The last bits of the expiry went by.
    let expiry = left[2].message.expiry.as_mut().unwrap();
    assert!(expiry.as_secs() > u64::from(u32::MAX) - 60);
    *expiry = Duration::from_secs(u32::MAX.into());
    let mut expected = messages.map(|(key, message)| Stored { key, message });
    expected.sort_by_key(|one| one.key);
    assert_eq!(left, expected);
}

#[test]
fn what_waits_when_the_store_is_dropped_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory);
    append(&store, batch(1..=10)).unwrap();
    let answers: Vec<_> = (11..=200).map(|key| begin(&store, batch(key..=key))).collect();
    store.remove(3);
    store.remove(200);
    // Nobody's.
    store.remove(1000);
    drop(store);
    assert!(answers.iter().all(|answer| matches!(answer.try_recv(), Ok(Ok(())))));
    let (_store, left) = open(&directory);
    assert_eq!(keys(&left), (1..200).filter(|&key| key != 3).collect::<Vec<_>>());
}

/// Read from a copy of the file, as a process would find it after a crash. Windows lets nobody copy it.
#[cfg(unix)]
#[test]
fn a_removal_is_written_without_another_message() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory);
    append(&store, batch(1..=3)).unwrap();
    store.remove(2);
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(directory.path().join(FILE), copy.path().join(FILE)).unwrap();
        // A copy that was made during a write may be none.
        let left = Store::open(copy.path(), ID).map(|(_, left)| keys(&left)).unwrap_or_default();
        if left == [1, 3] {
            break;
        }
        assert!(Instant::now() < deadline, "{left:?}");
    }
}

#[test]
fn messages_expire_while_the_process_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory);
    let expiring = |seconds| Message { expiry: Some(Duration::from_secs(seconds)), ..Message::new("a", "x") };
    let messages = [(1, expiring(60)), (2, expiring(7200)), (3, Message::new("a", "x"))];
    append(&store, messages.map(|(key, one)| (key, Arc::new(one))).into()).unwrap();
    drop(store);
    let opened = |after: u64| {
        let now = SystemTime::now() + Duration::from_secs(after);
        let (_store, left) = Store::open_at(directory.path(), ID, now).unwrap();
        left.iter().map(|one| (one.key, one.message.expiry.map(|left| left.as_secs()))).collect::<Vec<_>>()
    };
    // Opening does not prolong anything, and what has expired is gone for good.
    assert!(matches!(opened(0)[..], [(1, Some(50..=60)), (2, Some(7190..=7200)), (3, None)]));
    assert!(matches!(opened(3600)[..], [(2, Some(3590..=3600)), (3, None)]));
    assert!(matches!(opened(0)[..], [(2, Some(7190..=7200)), (3, None)]));
    assert_eq!(opened(7200), [(3, None)]);
}

/// Closing a file shortens it, too, but a device whose power is cut never does that.
#[cfg(unix)]
#[test]
fn a_file_that_once_was_long_is_made_short() {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let length = || fs::metadata(copy.path().join(FILE)).unwrap().len();
    let (store, _) = open(&directory);
    append(&store, (1..=70).map(|key| (key, Arc::new(message(50)))).collect()).unwrap();
    append(&store, batch(71..=80)).unwrap();
    (1..=70).for_each(|key| store.remove(key));
    append(&store, batch(81..=90)).unwrap();
    fs::copy(directory.path().join(FILE), copy.path().join(FILE)).unwrap();
    drop(store);
    assert!(length() > 8 * 1024 * 1024, "{}", length());
    let (store, left) = open(&copy);
    assert_eq!(keys(&left), (71..=90).collect::<Vec<_>>());
    assert!(length() < 2 * 1024 * 1024, "{}", length());
    append(&store, batch(91..=91)).unwrap();
    drop(store);
    assert_eq!(open(&copy).1.len(), 21);
}

#[test]
fn one_directory_serves_several_clients() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("not/yet/there");
    let ids = ["a", "A", "../a", "", &"\u{1f980}".repeat(32)];
    let stores = ids.map(|id| Store::open(&below, id).unwrap().0);
    for (key, store) in stores.iter().enumerate() {
        append(store, batch(key as u64..=key as u64)).unwrap();
    }
    drop(stores);
    for (key, id) in ids.iter().enumerate() {
        assert_eq!(keys(&Store::open(&below, id).unwrap().1), [key as u64], "{id}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&below), 0o700);
        for file in fs::read_dir(&below).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

#[test]
fn a_place_that_is_no_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "mine").unwrap();
    for path in [&file, &file.join("below")] {
        let words = refusal(path, ID);
        assert!(words.starts_with(&format!("cannot open the message store {}: ", path.display())), "{words}");
        assert!(words.ends_with("hint: give a directory, or the path of one to create"), "{words}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE);
    for (content, words) in [
        (
            &b"not a database, and longer than one page of one"[..],
            "client-sensor%2F1.redb is no message store",
        ),
        (&[0; 1_000_000], "is no message store hint: give a directory for messages alone"),
        (b"", "is damaged: it is empty"),
        (b"redb\x1a\x0a\xa9\x0d\x0a", "is damaged: "),
    ] {
        fs::write(&file, content).unwrap();
        let refused = refusal(directory.path(), ID);
        assert!(refused.contains(words), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
    fs::remove_file(&file).unwrap();
    // A database, but not a store.
    let other = TableDefinition::<u64, u64>::new("messages");
    let database = redb::Database::create(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(other).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(refusal(directory.path(), ID).contains("is no message store"));
    let database = redb::Database::open(&file).unwrap();
    let table = database.begin_read().unwrap().open_table(other).unwrap();
    assert_eq!(table.get(1).unwrap().unwrap().value(), 2);
}

#[test]
fn a_newer_format_and_another_client_id_are_refused() {
    let about = TableDefinition::<&str, &str>::new("about");
    for (name, value, words) in [
        ("format", "2", "has format 2, and this version knows formats up to 1 hint: use the newer version"),
        ("format", "x", "is no message store"),
        ("client ID", "SENSOR/1", "holds messages of the client ID \"SENSOR/1\" hint: give this client ID"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        let (store, _) = open(&directory);
        append(&store, batch(1..=1)).unwrap();
        drop(store);
        let set = |value: &str| {
            let database = redb::Database::open(&file).unwrap();
            let transaction = database.begin_write().unwrap();
            transaction.open_table(about).unwrap().insert(name, value).unwrap();
            transaction.commit().unwrap();
        };
        set(value);
        let refused = refusal(directory.path(), ID);
        assert!(refused.contains(words), "{refused}");
        // Nothing is lost.
        set(if name == "format" { "1" } else { ID });
        assert_eq!(keys(&open(&directory).1), [1]);
    }
}

/// A record that the database's own checksums vouch for.
#[test]
fn a_record_that_cannot_be_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&directory));
    let database = redb::Database::open(directory.path().join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    let messages = TableDefinition::<u64, &[u8]>::new("messages");
    transaction.open_table(messages).unwrap().insert(9, &b"\xff"[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = refusal(directory.path(), ID);
    assert!(refused.contains("is damaged: message 9: "), "{refused}");
    assert!(refused.contains("hint: move the file away to start with an empty store"), "{refused}");
}

/// Bits that flipped and files that were cut: an error, or messages as they were. A panic of the database's would end
/// this test. `PROPERTY_CASES` says how often. Windows lets nobody read the file while it is open.
#[cfg(unix)]
#[test]
fn a_damaged_file_gives_an_error_or_the_messages() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE);
    let (store, _) = open(&directory);
    append(&store, batch(1..=20)).unwrap();
    append(&store, batch(21..=40)).unwrap();
    let crashed = fs::read(&file).unwrap();
    drop(store);
    // After a crash a damaged transaction is one that was not finished, as long as it is the last.
    let states = [(crashed, &[20, 40][..]), (fs::read(&file).unwrap(), &[40])];
    let mut random = fastrand::Rng::with_seed(5);
    let (mut refused, mut read) = (0, 0);
    let rounds = std::env::var("PROPERTY_CASES").map_or(50, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let (bytes, counts) = &states[round % 2];
        let mut bytes = bytes.clone();
        if random.u8(..8) == 0 {
            bytes.truncate(random.usize(1..bytes.len()));
        } else {
            // The first page says where the others are.
            let end = if random.bool() { 512 } else { bytes.len() };
            for _ in 0..random.usize(1..20) {
                let at = random.usize(..end);
                bytes[at] ^= 1 << random.u8(..8);
            }
        }
        fs::write(&file, &bytes).unwrap();
        match Store::open(directory.path(), ID) {
            Ok((store, left)) => {
                read += 1;
                assert!(counts.contains(&left.len()), "{} in round {round}", left.len());
                assert!(left.iter().all(|one| one.message == message(one.key)));
                append(&store, batch(1000..=1010)).unwrap();
            }
            Err(error) => {
                refused += 1;
                assert!(matches!(error, Error::Store { .. }), "{error:?}");
                assert!(fs::read(&file).unwrap() == bytes, "changed in round {round}");
            }
        }
    }
    assert!(refused > rounds / 5 && read > rounds / 5, "{refused} refused, {read} read");
}

#[test]
fn a_panic_on_the_stores_thread_is_told_to_everybody_who_waits() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory);
    // Its answer runs on the store's thread.
    let (go_on, wait) = mpsc::channel::<()>();
    store.append(batch(1..=1), move |_| {
        wait.recv_timeout(ANSWER_TIMEOUT).expect("the others are asked for");
        panic!("in the test");
    });
    let others = [begin(&store, batch(2..=2)), begin(&store, batch(3..=3))];
    store.remove(1);
    go_on.send(()).unwrap();
    let told = others.map(|other| other.recv_timeout(ANSWER_TIMEOUT).expect("an answer"));
    for outcome in told.into_iter().chain([append(&store, batch(4..=4))]) {
        let error = outcome.unwrap_err();
        assert_eq!(Store::panic(&error).as_deref(), Some("in the test"), "{error:?}");
        assert!(Chain(&error).to_string().contains("the store's thread has panicked: in the test"));
    }
}
