//! Just enough of the MQTT wire format to find packet boundaries and look at a few packets.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

/// Splits a byte stream into MQTT packets without holding more of a packet than must be looked at.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: BytesMut,
    /// Bytes of the current packet that are still to pass.
    remaining: usize,
    /// Whether a CONNACK has shown properties, which MQTT 3.1.1 has not.
    has_properties: bool,
}

/// A run of bytes that may be forwarded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Set on the first segment of a packet.
    pub(super) starts: Option<Packet>,
    pub(super) bytes: Bytes,
}

/// The packet that a segment starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// CONNACK, with everything after the fixed header.
    Connack(Bytes),
    /// PUBLISH, with its packet identifier if it is of QoS 1, and the size of the packet.
    Publish(Option<NonZeroU16>, usize),
    Puback,
    /// SUBSCRIBE or UNSUBSCRIBE.
    Subscription,
    /// SUBACK or UNSUBACK.
    Suback,
    Pingreq,
    Pingresp,
    Disconnect,
    Other,
}

/// Why a stream cannot be handed to the MQTT library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    #[error("the broker sent a packet whose length is malformed (MQTT 5.0 §1.5.5)")]
    Length,
    #[error("the broker sent a CONNACK of more than {MAXIMUM_CONNACK} bytes")]
    ConnackTooLong,
    #[error("the broker sent a PUBLISH whose topic is cut off (MQTT 5.0 §3.3.2.1)")]
    TruncatedTopic,
    #[error("the broker sent a PUBLISH whose topic is not UTF-8 (MQTT 5.0 §1.5.4)")]
    TopicNotUtf8,
    #[error("the broker sent a PUBLISH whose topic contains U+0000 (MQTT 5.0 §1.5.4)")]
    NulInTopic,
    #[error("the broker sent a PUBLISH of QoS {0}, which nobody asked for")]
    QoS(u8),
    #[error("the broker sent a PUBLISH whose properties are cut off (MQTT 5.0 §2.2.2)")]
    TruncatedProperties,
    #[error("the broker sent a PUBLISH of QoS 1 without a packet identifier (MQTT 5.0 §2.2.1)")]
    NoPacketIdentifier,
}

impl Decoder {
    /// Where to read the next bytes of the stream into.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether another packet may be put in here: all of the last one has been returned.
    pub(super) fn is_between_packets(&self) -> bool {
        self.remaining == 0
    }

    /// The next bytes to forward; `None` until more have been read.
    pub(super) fn next_segment(&mut self) -> Result<Option<Segment>, Violation> {
        if self.remaining > 0 {
            let length = self.remaining.min(self.buffer.len());
            if length == 0 {
                return Ok(None);
            }
            self.remaining -= length;
            let bytes = self.buffer.split_to(length).freeze();
            return Ok(Some(Segment { starts: None, bytes }));
        }
        let Some((header, length)) = fixed_header(&self.buffer)? else { return Ok(None) };
        let body = &self.buffer[header..];
        let packet = match self.buffer[0] >> 4 {
            CONNACK if length > MAXIMUM_CONNACK => return Err(Violation::ConnackTooLong),
            CONNACK if body.len() < length => return Ok(None),
            CONNACK => {
                self.has_properties = length > 2;
                Packet::Connack(Bytes::copy_from_slice(&body[..length]))
            }
            PUBLISH => {
                let Some((packet_id, start)) = packet_identifier(self.buffer[0], body, length)? else {
                    return Ok(None);
                };
                if self.has_properties && properties_end(body, length, start)?.is_none() {
                    return Ok(None);
                }
                Packet::Publish(packet_id, header + length)
            }
            PUBACK => Packet::Puback,
            SUBSCRIBE | UNSUBSCRIBE => Packet::Subscription,
            SUBACK | UNSUBACK => Packet::Suback,
            PINGREQ => Packet::Pingreq,
            PINGRESP => Packet::Pingresp,
            DISCONNECT => Packet::Disconnect,
            _ => Packet::Other,
        };
        let available = (header + length).min(self.buffer.len());
        self.remaining = header + length - available;
        let bytes = self.buffer.split_to(available).freeze();
        Ok(Some(Segment { starts: Some(packet), bytes }))
    }
}

/// What a CONNACK says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connack {
    pub(super) code: u8,
    pub(super) reason_string: Option<String>,
    pub(super) server_keep_alive: Option<Duration>,
}

impl Connack {
    /// Reads a CONNACK's body: flags, code and, on MQTT 5, properties (MQTT 5.0 §3.2.2).
    pub(super) fn parse(mut body: Bytes) -> Option<Self> {
        if body.len() < 2 {
            return None;
        }
        body.advance(1);
        let mut connack = Self { code: body.get_u8(), reason_string: None, server_keep_alive: None };
        // What comes before a property that is malformed counts.
        connack.read_properties(&body);
        Some(connack)
    }

    /// Reads the properties (MQTT 5.0 §3.2.2.3) up to the end, or to the first that is malformed.
    fn read_properties(&mut self, bytes: &[u8]) -> Option<()> {
        let (size, length) = variable_length(bytes).ok()??;
        let mut properties = bytes.get(size..size.checked_add(length)?)?;
        while let Some((&identifier, rest)) = properties.split_first() {
            // The sizes of all properties that a CONNACK may carry.
            let value_length = match identifier {
                0x11 | 0x27 => 4,
                SERVER_KEEP_ALIVE | 0x21 | 0x22 => 2,
                0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
                0x12 | 0x15 | 0x16 | 0x1a | 0x1c | REASON_STRING => 2 + string_length(rest)?,
                0x26 => {
                    let key = 2 + string_length(rest)?;
                    key + 2 + string_length(rest.get(key..)?)?
                }
                _ => return None,
            };
            let value = rest.get(..value_length)?;
            match (identifier, value) {
                (SERVER_KEEP_ALIVE, &[high, low]) => {
                    let seconds = u16::from_be_bytes([high, low]);
                    self.server_keep_alive = Some(Duration::from_secs(seconds.into()));
                }
                (REASON_STRING, text) => self.reason_string = String::from_utf8(text[2..].to_vec()).ok(),
                _ => {}
            }
            properties = &rest[value_length..];
        }
        Some(())
    }
}

/// A CONNACK is held until it is whole; those of AWS IoT Core have some 50 bytes.
const MAXIMUM_CONNACK: usize = 64 * 1024;

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
const UNSUBSCRIBE: u8 = 10;
const UNSUBACK: u8 = 11;
const PINGREQ: u8 = 12;
const PINGRESP: u8 = 13;
const DISCONNECT: u8 = 14;

/// Properties of a CONNACK (MQTT 5.0 §3.2.2.3).
const SERVER_KEEP_ALIVE: u8 = 0x13;
const REASON_STRING: u8 = 0x1f;

/// The whole of a PINGREQ (MQTT 5.0 §3.12).
pub(super) const PINGREQ_PACKET: [u8; 2] = [0xc0, 0x00];

/// The whole of a PINGRESP (MQTT 5.0 §3.13).
pub(super) const PINGRESP_PACKET: [u8; 2] = [0xd0, 0x00];

/// A PUBACK that says success, on MQTT 5 in its short form (MQTT 5.0 §3.4.2.1).
pub(super) fn puback(packet_id: NonZeroU16) -> [u8; 4] {
    let [high, low] = packet_id.get().to_be_bytes();
    [0x40, 0x02, high, low]
}

/// Lengths of the fixed header and of the rest; `None` while the header is incomplete.
fn fixed_header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let Some(rest) = bytes.get(1..) else { return Ok(None) };
    Ok(variable_length(rest)?.map(|(size, length)| (1 + size, length)))
}

/// A Variable Byte Integer (MQTT 5.0 §1.5.5): its own size and its value.
fn variable_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((index + 1, value)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Violation::Length) }
}

/// The packet identifier of a PUBLISH, or that it has none, and where it ends, once it and all of the topic are there.
///
/// The topic is checked: paho C keeps topics as C strings and its Rust layer unwraps their conversion inside a C
/// callback, so one that is no UTF-8 or holds NUL would end the process. So is the QoS: we subscribe with 0 and 1, and
/// paho reports a message of QoS 2 at another time than the link sees it.
fn packet_identifier(
    first: u8,
    body: &[u8],
    length: usize,
) -> Result<Option<(Option<NonZeroU16>, usize)>, Violation> {
    let qos = (first >> 1) & 3;
    if qos > 1 {
        return Err(Violation::QoS(qos));
    }
    if length < 2 {
        return Err(Violation::TruncatedTopic);
    }
    let Some(&[high, low]) = body.get(..2) else { return Ok(None) };
    let end = 2 + usize::from(u16::from_be_bytes([high, low]));
    if end > length {
        return Err(Violation::TruncatedTopic);
    }
    let Some(topic) = body.get(2..end) else { return Ok(None) };
    let topic = std::str::from_utf8(topic).map_err(|_| Violation::TopicNotUtf8)?;
    if topic.contains('\0') {
        return Err(Violation::NulInTopic);
    }
    if qos == 0 {
        return Ok(Some((None, end)));
    }
    if end + 2 > length {
        return Err(Violation::NoPacketIdentifier);
    }
    let Some(&[high, low]) = body.get(end..end + 2) else { return Ok(None) };
    match NonZeroU16::new(u16::from_be_bytes([high, low])) {
        Some(packet_id) => Ok(Some((Some(packet_id), end + 2))),
        None => Err(Violation::NoPacketIdentifier),
    }
}

/// Where the properties end that begin at `start`, if the packet is long enough for them; `None` until that can be
/// told.
///
/// paho C believes their length: after those that end too late a payload has a negative one, and paho does not report
/// the message, whose receipt would then go to the next one.
fn properties_end(body: &[u8], length: usize, start: usize) -> Result<Option<usize>, Violation> {
    let known = &body[..body.len().min(length)];
    match variable_length(known.get(start..).unwrap_or_default())? {
        Some((size, properties)) if start + size + properties <= length => {
            Ok(Some(start + size + properties))
        }
        Some(_) => Err(Violation::TruncatedProperties),
        None if known.len() == length => Err(Violation::TruncatedProperties),
        None => Ok(None),
    }
}

fn string_length(bytes: &[u8]) -> Option<usize> {
    let &[high, low] = bytes.get(..2)? else { return None };
    Some(usize::from(u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in chunks of `chunk` bytes and returns the packets seen and the bytes forwarded.
    fn decode(stream: &[u8], chunk: usize) -> Result<(Vec<Packet>, Vec<u8>), Violation> {
        let mut decoder = Decoder::default();
        let (mut packets, mut forwarded) = (Vec::new(), Vec::new());
        for part in stream.chunks(chunk) {
            decoder.buffer().extend_from_slice(part);
            while let Some(segment) = decoder.next_segment()? {
                packets.extend(segment.starts);
                forwarded.extend_from_slice(&segment.bytes);
            }
        }
        Ok((packets, forwarded))
    }

    /// A PUBLISH of QoS 0; what comes before the payload on QoS 1 can be given as a part of it.
    fn publish(topic: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = 2 + topic.len() + payload.len();
        let mut packet = vec![0x30];
        let mut rest = length;
        loop {
            let byte = (rest & 0x7f) as u8;
            rest >>= 7;
            packet.push(if rest > 0 { byte | 0x80 } else { byte });
            if rest == 0 {
                break;
            }
        }
        packet.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        packet.extend_from_slice(topic);
        packet.extend_from_slice(payload);
        packet
    }

    #[test]
    fn forwards_every_byte_whatever_the_chunks() {
        let connack = [0x20, 2, 0, 0];
        let large = publish(b"a/b", &vec![7; 20_000]);
        let mut acknowledged = publish(b"t", &[1, 2, b'x']);
        acknowledged[0] = 0x32;
        let others =
            [0x40, 2, 1, 2, 0x82, 6, 0, 1, 0, 1, b't', 1, 0xc0, 0, 0xd0, 0, 0xe0, 0, 0xb0, 2, 0, 1, 0xf0, 0];
        let stream = [&connack[..], &large, &publish(b"t", b""), &acknowledged, &others].concat();
        for chunk in [1, 2, 3, 5, 7, 64, 1000, 100_000] {
            let (packets, forwarded) = decode(&stream, chunk).unwrap();
            assert_eq!(forwarded, stream, "chunks of {chunk}");
            let connack = Packet::Connack(Bytes::from_static(&[0, 0]));
            let expected = [
                connack,
                Packet::Publish(None, large.len()),
                Packet::Publish(None, 5),
                Packet::Publish(NonZeroU16::new(0x0102), 8),
                Packet::Puback,
                Packet::Subscription,
                Packet::Pingreq,
                Packet::Pingresp,
                Packet::Disconnect,
                Packet::Suback,
                Packet::Other,
            ];
            assert_eq!(packets, expected);
        }
    }

    #[test]
    fn nothing_of_a_bad_publish_is_forwarded() {
        for (packet, violation) in [
            (publish(b"a\0b", b"x"), Violation::NulInTopic),
            (publish(b"a\xff", b"x"), Violation::TopicNotUtf8),
            (vec![0x30, 1, 0], Violation::TruncatedTopic),
            (vec![0x30, 4, 0, 9, b'a', b'b'], Violation::TruncatedTopic),
            (vec![0x34, 5, 0, 1, b't', 0, 1], Violation::QoS(2)),
            (vec![0x36, 5, 0, 1, b't', 0, 1], Violation::QoS(3)),
            (vec![0x32, 4, 0, 1, b't', 1], Violation::NoPacketIdentifier),
            (vec![0x32, 5, 0, 1, b't', 0, 0], Violation::NoPacketIdentifier),
            (vec![0x30, 0xff, 0xff, 0xff, 0xff, 1], Violation::Length),
            (vec![0x20, 0xff, 0xff, 0xff, 0x7f], Violation::ConnackTooLong),
        ] {
            for chunk in [1, 2, 100] {
                assert_eq!(decode(&packet, chunk), Err(violation));
            }
        }
    }

    #[test]
    fn properties_end_before_their_packet_does() {
        // A property without its value, less than its length says, no length at all, half of one.
        for packet in [
            &[0x30, 5, 0, 1, b't', 2, 1][..],
            &[0x30, 4, 0, 1, b't', 0x7f],
            &[0x30, 3, 0, 1, b't'],
            &[0x30, 4, 0, 1, b't', 0x80],
            &[0x32, 7, 0, 1, b't', 0, 1, 2, 1],
        ] {
            for chunk in [1, 2, 100] {
                let stream = [&[0x20, 3, 0, 0, 0], packet].concat();
                assert_eq!(decode(&stream, chunk), Err(Violation::TruncatedProperties), "{packet:?}");
            }
        }
        for packet in
            [&[0x30, 6, 0, 1, b't', 2, 1, 1][..], &[0x30, 4, 0, 1, b't', 0], &[0x32, 6, 0, 1, b't', 0, 1, 0]]
        {
            for chunk in [1, 2, 100] {
                let stream = [&[0x20, 3, 0, 0, 0], packet].concat();
                assert_eq!(decode(&stream, chunk).map(|(_, forwarded)| forwarded), Ok(stream));
            }
        }
    }

    #[test]
    fn reads_the_properties_of_a_connack() {
        // Receive Maximum, a user property, Server Keep Alive, then the Reason String.
        let properties = b"\x21\x00\x64\x26\x00\x01k\x00\x01v\x13\x00\x1e\x1f\x00\x06denied";
        let body = [&[0, 0x87, properties.len() as u8][..], properties].concat();
        let connack = Connack::parse(Bytes::from(body)).unwrap();
        let expected = Connack {
            code: 0x87,
            reason_string: Some("denied".to_owned()),
            server_keep_alive: Some(Duration::from_secs(30)),
        };
        assert_eq!(connack, expected);
        // MQTT 3.1.1 has none.
        let connack = Connack::parse(Bytes::from_static(&[0, 5])).unwrap();
        assert_eq!(connack, Connack { code: 5, reason_string: None, server_keep_alive: None });
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            let _ = decode(&bytes, random.usize(1..8));
            let _ = Connack::parse(Bytes::from(bytes));
        }
    }
}
