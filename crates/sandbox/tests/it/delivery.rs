//! Messages between clients, and what AWS IoT does differently from other brokers.

use crate::support::mqtt::{Connect, Packet, Publish, connected, open, packet};
use crate::support::start;

#[test]
fn a_message_goes_from_one_version_to_the_other() {
    let sandbox = start();
    let mut old = connected(&sandbox, &Connect::v311("old"));
    let mut new = connected(&sandbox, &Connect::v5("new"));
    assert_eq!(old.subscribe(&["to/old"]), [1]);
    assert_eq!(new.subscribe(&["to/+"]), [1]);
    new.publish(&Publish::new("to/old", 5));
    assert_eq!(old.message(), ("to/old".to_owned(), b"hello".to_vec()));
    old.ping();
}

#[test]
fn the_publisher_is_not_told() {
    let sandbox = start();
    let mut client = connected(&sandbox, &Connect::v5("publisher"));
    client.subscribe(&["a"]);
    // A user property of the publisher's own stays.
    client.publish(&Publish { properties: b"\x26\0\x01k\0\x01v", ..Publish::new("a", 0) });
    assert_eq!(client.packet(), Packet { first: 0x30, body: b"\0\x01a\x07\x26\0\x01k\0\x01vhello".to_vec() });
}

#[test]
fn topic_aliases_stand_for_their_topics() {
    let sandbox = start();
    let mut client = connected(&sandbox, &Connect::v5("alias"));
    client.subscribe(&["a/b"]);
    client.publish(&Publish { properties: &[0x23, 0, 8], ..Publish::new("a/b", 0) });
    client.publish(&Publish { properties: &[0x23, 0, 8], payload: b"again", ..Publish::new("", 0) });
    assert_eq!(client.message(), ("a/b".to_owned(), b"hello".to_vec()));
    assert_eq!(client.message(), ("a/b".to_owned(), b"again".to_vec()));
}

#[test]
fn retained_messages_are_for_exact_filters() {
    let sandbox = start();
    let mut publisher = connected(&sandbox, &Connect::v5("publisher"));
    publisher.publish(&Publish { retain: true, ..Publish::new("kept/a", 3) });
    assert_eq!(publisher.packet().first, 0x40);
    for connect in [Connect::v5("reader"), Connect::v311("reader")] {
        let mut reader = connected(&sandbox, &connect);
        assert_eq!(reader.subscribe(&["kept/+"]), [1]);
        reader.ping();
        reader.subscribe(&["kept/a"]);
        assert_eq!(reader.message().0, "kept/a");
    }
}

#[test]
fn a_multi_level_wildcard_does_not_cover_its_parent() {
    let sandbox = start();
    for connect in [Connect::v5("reader"), Connect::v311("reader")] {
        let mut reader = connected(&sandbox, &connect);
        reader.subscribe(&["parent/#"]);
        sandbox.publish("parent", b"no").unwrap();
        sandbox.publish("parent/child", b"yes").unwrap();
        assert_eq!(reader.message(), ("parent/child".to_owned(), b"yes".to_vec()));
    }
}

#[test]
fn a_will_is_published_when_the_connection_breaks() {
    let sandbox = start();
    let mut watcher = connected(&sandbox, &Connect::v311("watcher"));
    watcher.subscribe(&["will"]);
    let will = |id| Connect { will: Some(("will", 0, false)), ..Connect::v5(id) };
    let mut polite = connected(&sandbox, &will("polite"));
    polite.send(&[0xE0, 0]);
    polite.closed();
    drop(connected(&sandbox, &will("abrupt")));
    let clean: Vec<_> = sandbox.connections().iter().map(|connection| connection.clean_disconnect).collect();
    assert_eq!(clean, [false, true, false]);
    assert_eq!(watcher.message(), ("will".to_owned(), b"will".to_vec()));
    watcher.ping();
}

#[test]
fn a_session_is_taken_over() {
    let sandbox = start();
    let mut first = connected(&sandbox, &Connect::v5("same"));
    let mut second = connected(&sandbox, &Connect::v311("same"));
    assert_eq!(first.disconnected(), 0x8E);
    let mut third = connected(&sandbox, &Connect::v5("same"));
    // MQTT 3.1.1 knows no DISCONNECT of servers.
    second.closed();
    third.ping();
    assert!(sandbox.disconnect("same", 0x98, None));
    assert_eq!(third.disconnected(), 0x98);
}

#[test]
fn a_session_is_resumed_with_its_messages() {
    let sandbox = start();
    // Session Expiry Interval; 3.1.1 has none and keeps its session for AWS IoT's hour.
    let new = Connect { clean: false, properties: &[0x11, 0, 0, 1, 0], ..Connect::v5("kept/5") };
    let old = Connect { clean: false, ..Connect::v311("kept/3.1.1") };
    for keep in [new, old] {
        let (mut client, connack) = open(&sandbox, &keep);
        assert_eq!(connack.body[..2], [0, 0]);
        client.subscribe(&["queue"]);
        client.send(&[0xE0, 0]);
        client.closed();
        sandbox.publish("queue", b"waiting").unwrap();
        let (mut client, connack) = open(&sandbox, &keep);
        assert_eq!(connack.body[..2], [1, 0], "the session is present");
        assert_eq!(client.message(), ("queue".to_owned(), b"waiting".to_vec()));
    }
}

#[test]
fn a_shared_subscription_gives_each_message_to_one() {
    let sandbox = start();
    let mut readers = ["one", "two"].map(|id| connected(&sandbox, &Connect::v5(id)));
    for reader in &mut readers {
        assert_eq!(reader.subscribe(&["$share/group/jobs/+"]), [1]);
    }
    for number in 0..4_u8 {
        sandbox.publish("jobs/x", &[number]).unwrap();
    }
    let mut numbers: Vec<u8> =
        readers.iter_mut().flat_map(|reader| [reader.message().1[0], reader.message().1[0]]).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3]);
    readers.iter_mut().for_each(|reader| reader.ping());
}

#[test]
fn the_servers_own_messages_keep_to_the_limits() {
    let sandbox = start();
    assert!(sandbox.publish("a/#", b"").is_err());
    assert!(sandbox.publish("a", &[0; 128 * 1024 + 1]).is_err());
}

#[test]
fn the_tests_own_refusals_and_disconnects() {
    let sandbox = start();
    sandbox.refuse_next_connect(0x97, "too much");
    // Only MQTT 5 has room for a reason.
    let mut old = connected(&sandbox, &Connect::v311("old"));
    let (mut refused, connack) = open(&sandbox, &Connect::v5("new"));
    assert_eq!(connack.body, b"\0\x97\x0B\x1F\0\x08too much");
    refused.closed();
    let mut new = connected(&sandbox, &Connect::v5("new"));
    assert!(sandbox.disconnect("new", 0x8B, Some("bye")));
    assert_eq!(new.packet(), Packet { first: 0xE0, body: b"\x8B\x06\x1F\0\x03bye".to_vec() });
    new.closed();
    assert!(sandbox.disconnect("old", 0x8B, Some("bye")));
    old.closed();
    assert!(!sandbox.disconnect("nobody", 0x8B, None));
}

#[test]
fn many_packets_at_once_keep_their_order() {
    let sandbox = start();
    let mut client = connected(&sandbox, &Connect::v5("burst"));
    client.subscribe(&["burst"]);
    let mut bytes = Vec::new();
    for number in 0..500_u16 {
        bytes.extend(Publish { payload: &number.to_be_bytes(), ..Publish::new("burst", 0) }.packet(5));
    }
    bytes.extend(packet(0xC0, &[]));
    client.send(&bytes);
    let mut next = 0_u16;
    while next < 500 {
        let Packet { first, body } = client.packet();
        if first == 0x30 {
            assert_eq!(body[body.len() - 2..], next.to_be_bytes());
            next += 1;
        } else {
            assert_eq!(first, 0xD0);
        }
    }
}
