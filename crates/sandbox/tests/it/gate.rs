//! What the gate refuses: policies and limits.

use sandbox::Principal;

use crate::support::mqtt::{Client, Connect, Packet, Publish, connected, open, packet, subscribe};
use crate::support::tls::{Options, connect};
use crate::support::{policy, start, start_with};

/// The device may connect, and use topics under `open/`.
const SOME: &[(&str, &str, &str)] = &[
    ("Allow", "Connect", "client/dev*"),
    ("Allow", "Publish", "topic/open/*"),
    ("Allow", "Receive", "topic/open/*"),
    ("Allow", "Subscribe", "topicfilter/open/*"),
];

#[test]
fn a_denied_connect() {
    let sandbox = start_with(SOME);
    let (mut client, connack) = open(&sandbox, &Connect::v5("other"));
    assert_eq!(connack.body, [0, 0x87, 0]);
    client.closed();
    let (mut client, connack) = open(&sandbox, &Connect::v311("other"));
    assert_eq!(connack.body, [0, 5]);
    client.closed();
    let codes: Vec<_> = sandbox.connections().iter().map(|connection| connection.connack).collect();
    assert_eq!(codes, [Some(0x87), Some(5)]);
}

#[test]
fn a_will_is_judged_at_connect() {
    let sandbox = start_with(SOME);
    for (will, code) in [
        (("open/will", 1, false), 0),
        (("open/will", 1, true), 0x87),
        (("closed/will", 0, false), 0x87),
        (("open/will", 2, false), 0x9B),
        (("open/#", 0, false), 0x90),
        (("$aws/x", 0, true), 0x9A),
    ] {
        let (_, connack) = open(&sandbox, &Connect { will: Some(will), ..Connect::v5("dev") });
        assert_eq!(connack.body[1], code, "{will:?}");
    }
}

#[test]
fn client_ids() {
    let sandbox = start();
    let long = "x".repeat(129);
    for (id, v5, v311) in
        [("$dev", 0x85, 2), (long.as_str(), 0x85, 2), ("a/b\\c..", 0, 0), (&long[1..], 0, 0)]
    {
        assert_eq!(open(&sandbox, &Connect::v5(id)).1.body[1], v5, "{id}");
        assert_eq!(open(&sandbox, &Connect::v311(id)).1.body[1], v311, "{id}");
    }
    let (_, connack) = open(&sandbox, &Connect { clean: false, ..Connect::v311("") });
    assert_eq!(connack.body, [0, 2]);
    // Assigned Client Identifier.
    let (_client, connack) = open(&sandbox, &Connect::v5(""));
    let connections = sandbox.connections();
    let assigned = connections.last().unwrap().client_id.as_deref().unwrap();
    assert!(assigned.starts_with("$GEN/"));
    assert!(connack.body.windows(assigned.len()).any(|window| window == assigned.as_bytes()));
}

#[test]
fn only_the_beginning_of_a_client_id_that_is_too_long_is_remembered() {
    let sandbox = start();
    let long = "ä".repeat(32_767);
    assert_eq!(open(&sandbox, &Connect::v5(&long)).1.body[1], 0x85);
    let connections = sandbox.connections();
    let remembered = connections[0].client_id.as_deref().unwrap();
    assert_eq!(remembered, format!("{}…", "ä".repeat(64)));
    assert_eq!(connections[0].connack, Some(0x85));
}

#[test]
fn what_is_not_spoken() {
    let sandbox = start();
    assert_eq!(open(&sandbox, &Connect { level: 3, ..Connect::v311("x") }).1.body, [0, 1]);
    assert_eq!(open(&sandbox, &Connect { level: 6, ..Connect::v311("x") }).1.body, [0, 0x84, 0]);
    // Authentication Method.
    let (_, connack) = open(&sandbox, &Connect { properties: b"\x15\0\x01x", ..Connect::v5("x") });
    assert_eq!(connack.body, [0, 0x8C, 0]);
    // Session Expiry Interval, twice.
    let twice = [0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1];
    let (_, connack) = open(&sandbox, &Connect { properties: &twice, ..Connect::v5("x") });
    assert_eq!(connack.body, [0, 0x82, 0]);
    assert_eq!(sandbox.connections().last().unwrap().connack, Some(0x82));
}

#[test]
fn the_keep_alive_that_holds_is_told() {
    let sandbox = start();
    for (asked, told) in [(60_u16, 60_u16), (10, 30), (0, 1200), (65535, 1200)] {
        let (_client, connack) = open(&sandbox, &Connect { keep_alive: asked, ..Connect::v5("x") });
        let [high, low] = told.to_be_bytes();
        assert!(
            connack.body[3..].windows(3).any(|window| window == [0x13, high, low]),
            "{asked}: {connack:?}"
        );
    }
}

#[test]
fn a_denied_publish_on_mqtt_5() {
    let sandbox = start_with(SOME);
    let mut client = connected(&sandbox, &Connect::v5("dev"));
    client.publish(&Publish::new("closed", 7));
    assert_eq!(client.packet(), Packet { first: 0x40, body: vec![0, 7, 0x87] });
    client.publish(&Publish::new("open/a", 8));
    assert_eq!(client.packet(), Packet { first: 0x40, body: vec![0, 8] });
    client.publish(&Publish { retain: true, ..Publish::new("open/a", 9) });
    assert_eq!(client.packet(), Packet { first: 0x40, body: vec![0, 9, 0x87] });
    client.publish(&Publish::new("closed", 0));
    assert_eq!(client.disconnected(), 0x87);
}

#[test]
fn packets_right_behind_the_connect_are_answered_behind_the_connack() {
    let sandbox = start_with(SOME);
    for _ in 0..20 {
        let stream = connect(&Options::mqtt(&sandbox)).unwrap();
        let mut client = Client { stream, level: 5 };
        let mut bytes = Connect::v5("dev").packet();
        bytes.extend(Publish::new("closed", 7).packet(5));
        bytes.extend(Publish::new("closed", 0).packet(5));
        client.send(&bytes);
        assert_eq!(client.packet().first, 0x20);
        assert_eq!(client.packet(), Packet { first: 0x40, body: vec![0, 7, 0x87] });
        assert_eq!(client.disconnected(), 0x87);
    }
}

#[test]
fn acknowledgements_keep_the_order_of_their_messages() {
    let sandbox = start_with(SOME);
    let mut client = connected(&sandbox, &Connect::v5("dev"));
    let topic = |id| if id % 3 == 0 { "closed" } else { "open/a" };
    let bytes: Vec<u8> = (1..=60).flat_map(|id| Publish::new(topic(id), id).packet(5)).collect();
    client.send(&[bytes, Publish::new("closed", 0).packet(5)].concat());
    for id in 1..=60_u8 {
        let expected = if id % 3 == 0 { vec![0, id, 0x87] } else { vec![0, id] };
        assert_eq!(client.packet(), Packet { first: 0x40, body: expected });
    }
    assert_eq!(client.disconnected(), 0x87);
}

#[test]
fn a_denied_publish_on_3_1_1() {
    let sandbox = start_with(SOME);
    for id in [0, 7] {
        let mut client = connected(&sandbox, &Connect::v311("dev"));
        client.publish(&Publish::new("open/a", 1));
        assert_eq!(client.packet(), Packet { first: 0x40, body: vec![0, 1] });
        client.publish(&Publish::new("closed", id));
        client.closed();
    }
}

#[test]
fn a_denied_subscribe() {
    let sandbox = start_with(SOME);
    let mut client = connected(&sandbox, &Connect::v5("dev"));
    assert_eq!(client.subscribe(&["open/+", "closed", "#"]), [1, 0x87, 0x87]);
    let mut client = connected(&sandbox, &Connect::v311("dev"));
    assert_eq!(client.subscribe(&["open/#"]), [1]);
    client.send(&subscribe(4, &["open/+", "closed"], &[]));
    client.closed();
}

#[test]
fn a_message_that_may_not_be_received_is_dropped() {
    let mut statements = SOME.to_vec();
    statements.push(("Deny", "Receive", "topic/open/secret"));
    let sandbox = start_with(&statements);
    for connect in [Connect::v5("dev"), Connect::v311("dev")] {
        let mut client = connected(&sandbox, &connect);
        client.subscribe(&["open/#"]);
        // More than fit in flight: the gate acknowledges what it drops.
        for _ in 0..150 {
            sandbox.publish("open/secret", b"no").unwrap();
        }
        sandbox.publish("open/public", b"yes").unwrap();
        assert_eq!(client.message(), ("open/public".to_owned(), b"yes".to_vec()));
    }
}

#[test]
fn a_change_of_policy_holds_at_once() {
    let sandbox = start();
    let mut client = connected(&sandbox, &Connect::v5("dev"));
    client.publish(&Publish::new("a", 1));
    assert_eq!(client.packet().body, [0, 1]);
    sandbox.set_policies(Principal::Device, &[policy(&[("Allow", "Connect", "client/*")])]).unwrap();
    client.publish(&Publish::new("a", 2));
    assert_eq!(client.packet().body, [0, 2, 0x87]);
    // What is not valid changes nothing.
    assert!(sandbox.set_policies(Principal::Device, &["{}".to_owned()]).is_err());
    client.publish(&Publish::new("a", 3));
    assert_eq!(client.packet().body, [0, 3, 0x87]);
}

#[test]
fn variables_of_the_thing_need_its_name_as_client_id() {
    let thing = &[("Allow", "Connect", "client/${iot:Connection.Thing.ThingName}")];
    let sandbox = start_with(thing);
    assert_eq!(open(&sandbox, &Connect::v5(&sandbox.device().thing_name)).1.body[1], 0);
    assert_eq!(open(&sandbox, &Connect::v5("something")).1.body[1], 0x87);
    let attached = policy(thing).replace(
        r#""Effect""#,
        r#""Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}},"Effect""#,
    );
    sandbox.set_policies(Principal::Device, &[attached]).unwrap();
    sandbox.issue_device("second").unwrap();
    assert_eq!(open(&sandbox, &Connect::v5(&sandbox.device().thing_name)).1.body[1], 0);
    assert_eq!(open(&sandbox, &Connect::v5("second")).1.body[1], 0x87);
    let common_name = policy(&[("Allow", "Connect", "client/x-${iot:Certificate.Subject.CommonName}")]);
    sandbox.set_policies(Principal::Device, &[common_name]).unwrap();
    assert_eq!(open(&sandbox, &Connect::v5(&format!("x-{}", sandbox.device().thing_name))).1.body[1], 0);
}

#[test]
fn packets_that_end_the_connection() {
    let sandbox = start();
    let topic = |slashes: usize| format!("t{}", "/t".repeat(slashes));
    let publish = |publish: Publish<'_>, level| publish.packet(level);
    let large = vec![b'x'; 128 * 1024 + 1];
    let cases: Vec<(&str, Vec<u8>, u8)> = vec![
        ("QoS 2", packet(0x34, b"\0\x01a\0\x01\0x"), 0x9B),
        ("QoS 3", packet(0x36, b"\0\x01a\0\x01\0x"), 0x81),
        ("eight slashes", publish(Publish::new(&topic(8), 0), 5), 0x90),
        ("257 bytes", publish(Publish::new(&"t".repeat(257), 0), 5), 0x90),
        ("wildcard", publish(Publish::new("a/+", 0), 5), 0x90),
        ("payload", publish(Publish { payload: &large, ..Publish::new("a", 0) }, 5), 0x95),
        ("packet", packet(0x30, &vec![0; 200_000]), 0x95),
        ("alias 0", publish(Publish { properties: &[0x23, 0, 0], ..Publish::new("a", 0) }, 5), 0x94),
        ("alias 9", publish(Publish { properties: &[0x23, 0, 9], ..Publish::new("a", 0) }, 5), 0x94),
        ("unknown alias", publish(Publish { properties: &[0x23, 0, 1], ..Publish::new("", 0) }, 5), 0x82),
        ("retained reserved topic", publish(Publish { retain: true, ..Publish::new("$aws/x", 0) }, 5), 0x9A),
        ("nine filters", subscribe(5, &["a"; 9], &[]), 0x97),
        ("bad filter", subscribe(5, &["a/#/b"], &[]), 0x8F),
        ("subscription identifier", subscribe(5, &["a"], &[0x0B, 1]), 0xA1),
        ("second CONNECT", Connect::v5("x").packet(), 0x82),
        ("SUBACK", packet(0x90, &[0, 1, 0, 0]), 0x82),
        ("flags of SUBSCRIBE", packet(0x80, &subscribe(5, &["a"], &[])[2..]), 0x81),
        ("flags of UNSUBSCRIBE", packet(0xA0, b"\0\x01\0\0\x01a"), 0x81),
        ("flags of PINGREQ", packet(0xC1, b""), 0x81),
        (
            "a property twice",
            publish(Publish { properties: &[0x01, 1, 0x01, 1], ..Publish::new("a", 0) }, 5),
            0x82,
        ),
        ("broken length", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF], 0x81),
    ];
    for (name, bytes, reason) in cases {
        let mut client = connected(&sandbox, &Connect::v5("limits"));
        client.send(&bytes);
        assert_eq!(client.disconnected(), reason, "{name}");
    }
    for bytes in
        [packet(0x34, b"\0\x01a\0\x01x"), packet(0x30, &vec![0; 200_000]), subscribe(4, &["a"; 9], &[])]
    {
        let mut client = connected(&sandbox, &Connect::v311("limits"));
        client.send(&bytes);
        client.closed();
    }
}

#[test]
fn fifty_subscriptions_are_enough() {
    let sandbox = start();
    let mut client = connected(&sandbox, &Connect::v5("many"));
    let filters: Vec<String> = (0..50).map(|number| format!("filter/{number}")).collect();
    for chunk in filters.chunks(5) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        assert_eq!(client.subscribe(&chunk), [1; 5]);
    }
    // One that is there already is not one more.
    assert_eq!(client.subscribe(&["filter/0"]), [1]);
    client.send(&subscribe(5, &["one/more"], &[]));
    assert_eq!(client.disconnected(), 0x97);
}

#[test]
fn the_largest_payload_goes_through() {
    let sandbox = start();
    let mut client = connected(&sandbox, &Connect::v5("large"));
    client.subscribe(&["large"]);
    let payload = vec![b'x'; 128 * 1024];
    client.publish(&Publish { payload: &payload, ..Publish::new("large", 0) });
    assert_eq!(client.message(), ("large".to_owned(), payload));
}
