//! A small MQTT client that builds its packets by hand.

use std::io::{ErrorKind, Read, Write};

use sandbox::Sandbox;

use crate::support::tls::{Options, Tls, connect};

/// What a CONNECT says.
#[derive(Clone)]
pub(crate) struct Connect<'a> {
    pub(crate) level: u8,
    pub(crate) client_id: &'a str,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    /// Topic, QoS, RETAIN; the payload is `will`.
    pub(crate) will: Option<(&'a str, u8, bool)>,
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// Encoded, without their length.
    pub(crate) properties: &'a [u8],
}

impl<'a> Connect<'a> {
    pub(crate) fn v5(client_id: &'a str) -> Self {
        Connect {
            level: 5,
            client_id,
            clean: true,
            keep_alive: 60,
            will: None,
            username: None,
            password: None,
            properties: &[],
        }
    }

    pub(crate) fn v311(client_id: &'a str) -> Self {
        Connect { level: 4, ..Connect::v5(client_id) }
    }

    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut flags = if self.clean { 2 } else { 0 };
        if let Some((_, qos, retain)) = self.will {
            flags |= 0x04 | qos << 3 | u8::from(retain) << 5;
        }
        flags |= u8::from(self.username.is_some()) << 7 | u8::from(self.password.is_some()) << 6;
        let mut body = string("MQTT");
        body.extend([self.level, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.level == 5 {
            body.push(u8::try_from(self.properties.len()).unwrap());
            body.extend(self.properties);
        }
        body.extend(string(self.client_id));
        if let Some((topic, _, _)) = self.will {
            if self.level == 5 {
                body.push(0);
            }
            body.extend(string(topic));
            body.extend(string("will"));
        }
        for field in [self.username, self.password].into_iter().flatten() {
            body.extend(string(field));
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH; `id` 0 is QoS 0.
pub(crate) struct Publish<'a> {
    pub(crate) topic: &'a str,
    pub(crate) id: u16,
    pub(crate) retain: bool,
    pub(crate) properties: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Publish<'a> {
    pub(crate) fn new(topic: &'a str, id: u16) -> Self {
        Publish { topic, id, retain: false, properties: &[], payload: b"hello" }
    }

    pub(crate) fn packet(&self, level: u8) -> Vec<u8> {
        let qos = u8::from(self.id != 0);
        let mut body = string(self.topic);
        if qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        if level == 5 {
            body.push(u8::try_from(self.properties.len()).unwrap());
            body.extend(self.properties);
        }
        body.extend(self.payload);
        packet(0x30 | qos << 1 | u8::from(self.retain), &body)
    }
}

/// A received packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) first: u8,
    pub(crate) body: Vec<u8>,
}

/// A connection on which MQTT is spoken.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) level: u8,
}

/// Connects by mutual TLS and sends CONNECT; returns the CONNACK too.
pub(crate) fn open(sandbox: &Sandbox, connect_packet: &Connect<'_>) -> (Client<Tls>, Packet) {
    let stream = connect(&Options::mqtt(sandbox)).unwrap();
    let mut client = Client { stream, level: connect_packet.level };
    client.send(&connect_packet.packet());
    let connack = client.packet();
    assert_eq!(connack.first, 0x20);
    (client, connack)
}

/// The same, which has to succeed.
pub(crate) fn connected(sandbox: &Sandbox, connect_packet: &Connect<'_>) -> Client<Tls> {
    let (client, connack) = open(sandbox, connect_packet);
    assert_eq!(connack.body[1], 0, "{connack:?}");
    client
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    pub(crate) fn publish(&mut self, publish: &Publish<'_>) {
        self.send(&publish.packet(self.level));
    }

    /// Subscribes with QoS 1; returns the codes of the SUBACK.
    pub(crate) fn subscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        self.send(&subscribe(self.level, filters, &[]));
        let suback = self.packet();
        assert_eq!(suback.first, 0x90, "{suback:?}");
        let header = if self.level == 5 { 3 + usize::from(suback.body[2]) } else { 2 };
        suback.body[header..].to_vec()
    }

    /// The next packet.
    pub(crate) fn packet(&mut self) -> Packet {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).unwrap();
        let first = byte[0];
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            self.stream.read_exact(&mut byte).unwrap();
            length |= usize::from(byte[0] & 0x7F) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Packet { first, body }
    }

    /// The topic and the payload of the next packet, which has to be a PUBLISH; acknowledges it.
    pub(crate) fn message(&mut self) -> (String, Vec<u8>) {
        let Packet { first, body } = self.packet();
        assert_eq!(first >> 4, 3, "0x{first:02X} {body:?}");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
        let mut rest = &body[2 + length..];
        if first & 0x06 != 0 {
            self.send(&packet(0x40, &rest[..2]));
            rest = &rest[2..];
        }
        if self.level == 5 {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        (topic, rest.to_vec())
    }

    /// Waits for an answer to a ping: whatever was sent before has been dealt with then, and nothing else came.
    pub(crate) fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        assert_eq!(self.packet(), Packet { first: 0xD0, body: Vec::new() });
    }

    /// The reason of the DISCONNECT that has to come next, followed by the end of the stream.
    pub(crate) fn disconnected(&mut self) -> u8 {
        let packet = self.packet();
        assert_eq!(packet.first, 0xE0, "{packet:?}");
        self.closed();
        packet.body[0]
    }

    /// Waits for the end of the stream; nothing may come before.
    pub(crate) fn closed(&mut self) {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => panic!("a packet with the first byte 0x{:02X}", byte[0]),
            Err(error) => assert!(
                !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "still open after the timeout"
            ),
        }
    }
}

pub(crate) fn subscribe(level: u8, filters: &[&str], properties: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 9];
    if level == 5 {
        body.push(u8::try_from(properties.len()).unwrap());
        body.extend(properties);
    }
    for filter in filters {
        body.extend(string(filter));
        body.push(1);
    }
    packet(0x82, &body)
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(body);
    bytes
}
