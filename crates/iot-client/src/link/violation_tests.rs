//! The link against a broker that breaks the protocol, and against a panic.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, join, sink};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::link::Link;
use crate::link::end::LinkEnd;
use crate::link::keep_alive::KeepAlive;
use crate::link::tests::{
    AT_MOST_ONCE, CONNACK, KEEP_ALIVE, LIMIT, PINGREQ, Running, expect, puback, publish, publish_packet,
};
use crate::session::SessionStart;
use crate::wire::frames::{Kind, MAXIMUM_PACKET_SIZE, Violation};
use crate::{MqttVersion, events};

#[tokio::test]
async fn what_no_broker_may_send_ends_the_link_after_what_came_before() {
    let too_long = [&[0x30][..], &[0x80, 0x80, 0x80, 0x08], &[0, 1, b't']].concat();
    let size = 5 + MAXIMUM_PACKET_SIZE as usize;
    for (packet, problem) in [
        (publish_packet(0x30, "a\0b", None, b"x"), "text with U+0000"),
        (publish_packet(0x34, "t", Some(1), b"x"), "has QoS 2"),
        // Each of these has once made paho read past the packet or free what it still used.
        (vec![0x90, 2, 0, 9], "SUBACK ends within a field"),
        (vec![0x40, 1, 0], "PUBACK ends within a field"),
        (vec![0xb0, 3, 0, 9, 0], "UNSUBACK has 1 bytes behind its last field"),
        (vec![0x40, 2, 0, 8], "PUBACK is for the packet identifier 8"),
        (vec![0x41, 2, 0, 1], "PUBACK has the reserved flags 0b0001"),
        // No broker sends these to a client that uses QoS 1 at most, or on MQTT 3.1.1.
        (vec![0x50, 2, 0, 1], "a packet of type 5"),
        (vec![0xe0, 0], "a DISCONNECT, for which there is no reason"),
        (CONNACK.to_vec(), "a CONNACK, for which there is no reason"),
        (PINGREQ.to_vec(), "a PINGREQ, for which there is no reason"),
        (too_long, &format!("a packet of {size} bytes")),
    ] {
        let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
        let subscribe = [0x82, 6, 0, 8, 0, 1, b't', 1];
        paho.write_all(&subscribe).await.unwrap();
        expect(&mut link.broker, &subscribe).await;
        link.broker.write_all(&[&publish(1)[..], &puback(1), &packet].concat()).await.unwrap();
        expect(&mut paho, &puback(1)).await;
        assert_eq!(link.message().await.topic, "t");
        assert_eq!(paho.read(&mut [0]).await.unwrap(), 0);
        drop(paho);
        match link.end().await {
            LinkEnd::Violation(violation) => assert!(violation.to_string().contains(problem), "{violation}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_message_in_front_of_the_connack_ends_the_link() {
    let mut link = Running::start(KEEP_ALIVE).await;
    let mut paho = TcpStream::connect(link.address).await.unwrap();
    link.broker.write_all(&[&publish(1)[..], &CONNACK].concat()).await.unwrap();
    assert_eq!(timeout(LIMIT, paho.read(&mut [0])).await.expect("in time").unwrap(), 0);
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Violation(Violation::BeforeConnack(Kind::Publish))));
}

#[tokio::test]
async fn the_first_byte_that_is_no_connack_ends_the_link() {
    for (answer, shown) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "a web server answers here (HTTP 400)"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "a TLS server answers inside TLS"),
        (b"220 mail.example ESMTP\r\n", "the answer is \"220 mail.example ESMTP\""),
        // Never completed.
        (b"SSH-2.0", "the answer is \"SSH-2.0\""),
        (b"\x00", "the answer begins with the byte 0x00, which begins no CONNACK"),
    ] {
        let mut link = Running::start(KEEP_ALIVE).await;
        let mut paho = TcpStream::connect(link.address).await.unwrap();
        // The connection stays open.
        link.broker.write_all(answer).await.unwrap();
        assert_eq!(timeout(LIMIT, paho.read(&mut [0])).await.expect("in time").unwrap(), 0);
        drop(paho);
        match timeout(LIMIT, link.end).await.expect("in time").unwrap() {
            LinkEnd::NotMqtt(answer) => assert_eq!(answer.to_string(), shown),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connack_that_is_malformed_or_cut_off_ends_the_link() {
    for (connack, problem) in [
        (&[0x20, 2, 1][..], "closed the connection within its CONNACK"),
        (&[0x20, 2, 2, 0], "CONNACK has the reserved acknowledge flags 0b00000010"),
        (&[0x20, 1, 0], "CONNACK ends within a field"),
        (&[0x20, 3, 0, 0, 0], "CONNACK has 1 bytes behind its last field"),
        (&[0x20, 0xff, 0xff, 0xff, 0xff, 1], "a packet whose length is malformed"),
        (&[0x2f, 2, 0, 0], "CONNACK has the reserved flags 0b1111"),
    ] {
        let mut link = Running::start(KEEP_ALIVE).await;
        let mut paho = TcpStream::connect(link.address).await.unwrap();
        link.broker.write_all(connack).await.unwrap();
        link.broker.shutdown().await.unwrap();
        assert_eq!(timeout(LIMIT, paho.read(&mut [0])).await.expect("in time").unwrap(), 0, "paho sees none");
        drop(paho);
        match link.end().await {
            LinkEnd::Violation(violation) => assert!(violation.to_string().contains(problem), "{violation}"),
            other => panic!("{other:?}"),
        }
    }
}

/// A broker that panics in the test's place, below the link.
struct Panicking;

impl AsyncRead for Panicking {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        panic!("below the link");
    }
}

#[tokio::test]
async fn a_panic_below_the_link_ends_it_with_the_message_and_paho_learns_of_it() {
    let (sender, _events) = events::queue("localhost:8883".to_owned());
    let (link, _key, _gate) = Link::open(MqttVersion::V5, SessionStart::Clean, sender).await.unwrap();
    let (address, socket) = (link.address, link.socket());
    let (connack, _) = oneshot::channel();
    let (_stop, stopped) = oneshot::channel();
    let end = tokio::spawn(link.run(
        Box::new(join(Panicking, sink())),
        KeepAlive::new(KEEP_ALIVE),
        connack,
        stopped,
    ));
    let mut paho = TcpStream::connect(address).await.unwrap();
    assert_eq!(timeout(LIMIT, paho.read(&mut [0])).await.expect("in time").unwrap(), 0);
    // Bytes that it still writes are taken.
    paho.write_all(&AT_MOST_ONCE).await.unwrap();
    match timeout(LIMIT, end).await.expect("in time").unwrap() {
        LinkEnd::Panicked(panic) => assert_eq!(panic, "below the link"),
        other => panic!("{other:?}"),
    }
    drop(socket);
}
