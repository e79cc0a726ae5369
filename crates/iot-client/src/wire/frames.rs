//! Packets within a byte stream.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::wire::fields::{Fields, Malformed};

/// Splits a byte stream into MQTT packets.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    maximum: usize,
}

/// A whole packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) bytes: Bytes,
    /// The length of the fixed header.
    header: usize,
}

/// The types of packets (MQTT 5.0 §2.1.2), as far as brokers or this client send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connack,
    Publish,
    Puback,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
    /// A type that no connection of this client has, by its number.
    Other(u8),
}

impl Kind {
    /// The type that a packet's first byte tells.
    pub(crate) fn of(first: u8) -> Self {
        match first >> 4 {
            2 => Kind::Connack,
            3 => Kind::Publish,
            4 => Kind::Puback,
            8 => Kind::Subscribe,
            9 => Kind::Suback,
            10 => Kind::Unsubscribe,
            11 => Kind::Unsuback,
            12 => Kind::Pingreq,
            13 => Kind::Pingresp,
            14 => Kind::Disconnect,
            number => Kind::Other(number),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Connack => "CONNACK",
            Kind::Publish => "PUBLISH",
            Kind::Puback => "PUBACK",
            Kind::Subscribe => "SUBSCRIBE",
            Kind::Suback => "SUBACK",
            Kind::Unsubscribe => "UNSUBSCRIBE",
            Kind::Unsuback => "UNSUBACK",
            Kind::Pingreq => "PINGREQ",
            Kind::Pingresp => "PINGRESP",
            Kind::Disconnect => "DISCONNECT",
            Kind::Other(number) => return write!(f, "packet of type {number}"),
        })
    }
}

/// Something that no broker may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("the broker sent a packet whose length is malformed (MQTT 5.0 §1.5.5)")]
    Length,
    #[error("the broker sent a packet of {0} bytes, and the client takes at most {MAXIMUM_PACKET_SIZE}")]
    TooLong(usize),
    #[error("the broker sent a {0} before its CONNACK (MQTT 5.0 §3.2)")]
    BeforeConnack(Kind),
    #[error("the broker sent a {0}, for which there is no reason")]
    Unexpected(Kind),
    #[error("the broker closed the connection within its CONNACK")]
    CutOff,
    #[error("the broker's {0} {1}")]
    Malformed(Kind, Malformed),
}

impl Decoder {
    /// For packets of at most `maximum` bytes.
    pub(crate) fn new(maximum: usize) -> Self {
        Self { buffer: BytesMut::new(), maximum }
    }

    /// The buffer for the next bytes of the stream.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next packet; `None` until more has been read.
    pub(crate) fn next_packet(&mut self) -> Result<Option<Packet>, Violation> {
        let Some((header, length)) = fixed_header(&self.buffer)? else { return Ok(None) };
        let size = header + length;
        if size > self.maximum {
            return Err(Violation::TooLong(size));
        }
        if self.buffer.len() < size {
            return Ok(None);
        }
        let bytes = self.buffer.split_to(size).freeze();
        if size > LARGE {
            // A connection may last for years.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some(Packet { bytes, header }))
    }
}

impl Packet {
    pub(crate) fn kind(&self) -> Kind {
        Kind::of(self.bytes[0])
    }

    /// The flags of the fixed header (MQTT 5.0 §2.1.3).
    pub(crate) fn flags(&self) -> u8 {
        self.bytes[0] & 0x0f
    }

    /// The bytes after the fixed header.
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.header..]
    }
}

/// The largest packet that the client takes, in bytes. CONNECT announces it (MQTT 5.0 §3.1.2.11.4). Those of AWS IoT
/// Core have 146 KiB at most; a broker without such a limit could make a client hold 256 MiB.
pub(crate) const MAXIMUM_PACKET_SIZE: u32 = 16 * 1024 * 1024;

/// The largest buffer that is kept for the next packet: more than those of AWS IoT Core have.
const LARGE: usize = 1024 * 1024;

/// The whole of a PINGREQ (MQTT 5.0 §3.12).
pub(crate) const PINGREQ_PACKET: [u8; 2] = [0xc0, 0x00];

/// The whole of a PINGRESP (MQTT 5.0 §3.13).
pub(crate) const PINGRESP_PACKET: [u8; 2] = [0xd0, 0x00];

/// Lengths of the fixed header and of the rest; `None` while the header is incomplete.
fn fixed_header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let Some(rest) = bytes.get(1..) else { return Ok(None) };
    let mut fields = Fields::new(rest);
    match fields.variable_length() {
        Ok(length) => Ok(Some((bytes.len() - fields.rest().len(), length))),
        Err(Malformed::CutOff) => Ok(None),
        Err(_) => Err(Violation::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::publish_packet;

    /// Feeds `stream` in chunks of `chunk` bytes and returns the packets seen.
    fn decode(stream: &[u8], chunk: usize) -> Result<Vec<Packet>, Violation> {
        let mut decoder = Decoder::new(MAXIMUM_PACKET_SIZE as usize);
        let mut packets = Vec::new();
        for part in stream.chunks(chunk) {
            decoder.buffer().extend_from_slice(part);
            while let Some(packet) = decoder.next_packet()? {
                packets.push(packet);
            }
        }
        Ok(packets)
    }

    #[test]
    fn packets_are_told_apart_whatever_the_chunks() {
        let stream = [
            (Kind::Connack, vec![0x20, 2, 0, 0]),
            (Kind::Publish, publish_packet(0x30, "a/b", None, &[7; 20_000])),
            (Kind::Publish, publish_packet(0x32, "t", Some(0x0102), b"")),
            (Kind::Puback, vec![0x40, 2, 1, 2]),
            (Kind::Subscribe, vec![0x82, 6, 0, 1, 0, 1, b't', 1]),
            (Kind::Unsubscribe, vec![0xa2, 5, 0, 1, 0, 1, b't']),
            (Kind::Suback, vec![0x90, 3, 0, 1, 1]),
            (Kind::Unsuback, vec![0xb0, 2, 0, 1]),
            (Kind::Pingreq, PINGREQ_PACKET.to_vec()),
            (Kind::Pingresp, PINGRESP_PACKET.to_vec()),
            (Kind::Disconnect, vec![0xe0, 0]),
            (Kind::Other(15), vec![0xf0, 0]),
        ];
        let bytes = stream.iter().flat_map(|(_, bytes)| bytes).copied().collect::<Vec<_>>();
        for chunk in [1, 2, 3, 5, 7, 64, 1000, 100_000] {
            let packets = decode(&bytes, chunk).unwrap();
            let seen = packets.iter().map(|packet| (packet.kind(), packet.bytes.to_vec()));
            assert_eq!(seen.collect::<Vec<_>>(), stream, "chunks of {chunk}");
        }
        let packet = &decode(&stream[2].1, 100).unwrap()[0];
        assert_eq!((packet.flags(), packet.body()), (2, &[0, 1, b't', 1, 2][..]));
    }

    #[test]
    fn what_a_large_packet_took_is_given_back() {
        let mut decoder = Decoder::new(MAXIMUM_PACKET_SIZE as usize);
        let large = publish_packet(0x30, "t", None, &vec![7; 4 * LARGE]);
        decoder.buffer().extend_from_slice(&[&large[..], &PINGRESP_PACKET].concat());
        assert_eq!(decoder.next_packet().unwrap().unwrap().kind(), Kind::Publish);
        assert_eq!(decoder.next_packet().unwrap().unwrap().kind(), Kind::Pingresp);
        assert!(!decoder.buffer().try_reclaim(LARGE));
    }

    #[test]
    fn a_length_is_bounded_before_anything_is_kept() {
        let too_long = Violation::TooLong(5 + 0x0fff_ffff);
        for chunk in [1, 2, 100] {
            assert_eq!(decode(&[0x30, 0xff, 0xff, 0xff, 0x7f], chunk), Err(too_long));
            assert_eq!(decode(&[0x30, 0xff, 0xff, 0xff, 0xff, 1], chunk), Err(Violation::Length));
        }
    }
}
