use super::*;
use testkit::property::Cases;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(CLOCK_SET) + Duration::from_secs(seconds)
}

fn encoded(message: &Message, accepted: SystemTime) -> Vec<u8> {
    let mut bytes = b"of the message before".to_vec();
    Record::new(message, accepted).encode(&mut bytes).unwrap();
    bytes
}

fn expiry_after(expiry: Duration, accepted: SystemTime, now: SystemTime) -> Option<Duration> {
    let message = Message { expiry: Some(expiry), ..Message::new("t", "x") };
    let bytes = encoded(&message, accepted);
    Record::decode(&bytes).unwrap().message_at(now).map(|message| message.expiry.unwrap())
}

#[test]
fn a_record_is_little_more_than_its_message() {
    let message = Message::new("a/b", vec![0; 128 * 1024]);
    // The time has 6 bytes, the length of the payload 3, and each of the other 8 fields one.
    assert_eq!(encoded(&message, at(0)).len(), 3 + 128 * 1024 + 6 + 3 + 8);
}

#[test]
fn the_time_that_a_message_waited_counts() {
    let seconds = Duration::from_secs;
    for (expiry, waited, left) in [
        (seconds(60), 0, Some(seconds(60))),
        (seconds(60), 59, Some(seconds(1))),
        (seconds(60), 60, None),
        (seconds(60), 1_000_000, None),
        (Duration::from_millis(60_500), 60, Some(seconds(1))),
        (
            Duration::MAX,
            60,
            Some(Duration::MAX - seconds(60) - Duration::from_nanos(999_999_999) + seconds(1)),
        ),
        (Duration::ZERO, 1, None),
    ] {
        assert_eq!(expiry_after(expiry, at(0), at(waited)), left, "{expiry:?} after {waited} s");
    }
    let bytes = encoded(&Message::new("t", "x"), at(0));
    assert_eq!(Record::decode(&bytes).unwrap().message_at(at(u32::MAX.into())), Some(Message::new("t", "x")));
}

#[test]
fn a_clock_that_cannot_be_right_expires_nothing() {
    let minute = Duration::from_secs(60);
    let day = Duration::from_secs(86_400);
    let (unset, before) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH - day);
    for (accepted, now) in
        [(at(1000), at(0)), (at(1000), unset), (at(1000), before), (unset, at(0)), (before, at(0))]
    {
        assert_eq!(expiry_after(minute, accepted, now), Some(minute), "{accepted:?} {now:?}");
    }
}

/// A record that is read is what would be written, and nothing that a file may hold is more than an error.
#[test]
fn property_a_record_is_read_as_it_is_written() {
    const PIECES: &[&[u8]] = &[
        b"\0",
        b"\x01",
        b"\x02",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xff\xff\xff\xff\x0f",
        b"\x80\x80\x80\x80\x00",
        b"\xc3\x28",
        "\u{1f980}".as_bytes(),
        b"\x03a/b",
    ];
    let mut read = 0;
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "stored_message", 20_000, PIECES) {
        let Ok(record) = Record::decode(&case) else { continue };
        read += 1;
        let mut bytes = Vec::new();
        record.encode(&mut bytes).unwrap();
        // A number may be written longer than it has to be.
        assert!(bytes.len() <= case.len());
        let again = Record::decode(&bytes).unwrap();
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
        for now in [SystemTime::UNIX_EPOCH, at(0), at(u32::MAX.into())] {
            let Some(message) = Record::decode(&bytes).unwrap().message_at(now) else { continue };
            assert_eq!((&*message.topic, &*message.payload), (again.topic, again.payload));
            assert!(
                message.expiry <= again.expiry.map(|expiry| expiry.saturating_add(Duration::from_secs(1)))
            );
        }
    }
    assert!(read > 100, "only {read} cases were records");
}

/// The corpus holds whole messages: without them the test above would try refusals only.
#[test]
fn the_corpus_is_what_the_format_is() {
    let full = Message {
        payload: b"\0\xff\xfe binary".to_vec(),
        qos: QoS::AtMostOnce,
        retain: true,
        content_type: Some("text/plain".to_owned()),
        response_topic: Some("r".to_owned()),
        correlation_data: Some(vec![0, 255]),
        expiry: Some(Duration::from_secs(3600)),
        user_properties: vec![("k".to_owned(), String::new()), ("k".to_owned(), "v".to_owned())],
        ..Message::new("a/b", "")
    };
    let corpus = include_str!("../../tests/corpus/stored_message.txt");
    for message in [Message::new("a/b", "payload"), full] {
        let line = encoded(&message, at(0)).escape_ascii().to_string();
        assert!(
            corpus.lines().any(|other| other == line),
            "the format has changed: FORMAT must, too.\n{line}"
        );
    }
}
