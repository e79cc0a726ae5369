//! The packets that answer a request, and the broker's DISCONNECT. paho reads them, past their end where they are malformed
//! (`MQTTProperty_read` and `MQTTPacket_suback` in paho C 1.3.16), and frees what another request still uses when an answer
//! has the packet identifier of that one. So the link checks them first.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::MqttVersion;
use crate::wire::fields::{Fields, Malformed};
use crate::wire::frames::{Kind, Packet};
use crate::wire::property;

/// The requests of one connection that have no answer yet, by packet identifier.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(Mutex<HashMap<u16, Kind>>);

impl Unanswered {
    /// Notes a request that is about to be sent, by the kind of its answer.
    pub(crate) fn asked(&self, packet_id: u16, answer: Kind) {
        self.lock().insert(packet_id, answer);
    }

    /// Notes an answer. One that nobody waits for is harmless.
    pub(crate) fn answered(&self, packet_id: NonZeroU16, answer: Kind) -> Result<(), Malformed> {
        let packet_id = packet_id.get();
        match self.lock().remove(&packet_id) {
            Some(expected) if expected != answer => Err(Malformed::Mismatch(packet_id)),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Kind>> {
        // No code that panics runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a PUBACK, SUBACK or UNSUBACK; its packet identifier.
pub(crate) fn parse(kind: Kind, body: &[u8], version: MqttVersion) -> Result<NonZeroU16, Malformed> {
    let mut fields = Fields::new(body);
    let packet_id = NonZeroU16::new(fields.two_bytes()?).ok_or(Malformed::PacketIdentifier)?;
    match (kind, version) {
        // The short form, which says success (MQTT 5.0 §3.4.2.1).
        (Kind::Puback, _) if fields.is_empty() => {}
        (Kind::Puback, MqttVersion::V5) => {
            code(kind, fields.byte()?)?;
            if !fields.is_empty() {
                properties(kind, &mut fields)?;
            }
            fields.end()?;
        }
        (Kind::Puback | Kind::Unsuback, _) if version == MqttVersion::V311 => fields.end()?,
        _ => {
            if version == MqttVersion::V5 {
                properties(kind, &mut fields)?;
            }
            // The client asks for one topic filter at a time.
            match *fields.rest() {
                [] => return Err(Malformed::CutOff),
                [one] => code(kind, one)?,
                ref several => return Err(Malformed::Codes(several.len())),
            }
        }
    }
    Ok(packet_id)
}

/// A DISCONNECT of the broker's, without what is malformed behind its code.
pub(crate) fn disconnect(packet: &Packet) -> Bytes {
    let mut fields = Fields::new(packet.body());
    // Without one it is 0 (MQTT 5.0 §3.14.2.1).
    let code = fields.byte().unwrap_or(0);
    let rest = match fields.is_empty() {
        true => Ok(()),
        false => properties(Kind::Disconnect, &mut fields).and_then(|()| fields.end()),
    };
    match rest {
        Ok(()) => packet.bytes.clone(),
        Err(malformed) => {
            log::warn!("the broker's DISCONNECT {malformed}");
            Bytes::copy_from_slice(&[0xe0, 1, code])
        }
    }
}

/// Reads the properties: a reason string, user properties, and in a DISCONNECT a Server Reference; no others are allowed
/// (MQTT 5.0 §2.2.2.2).
fn properties(kind: Kind, fields: &mut Fields<'_>) -> Result<(), Malformed> {
    fields.properties(|id, _| match (id, kind) {
        (property::REASON_STRING | property::USER_PROPERTY, _)
        | (property::SERVER_REFERENCE, Kind::Disconnect) => Ok(()),
        (other, _) => Err(Malformed::Property(other)),
    })
}

/// Requires a code that the packet may have: brokers may know more ways to refuse than the standard, but no more ways to
/// grant.
fn code(kind: Kind, code: u8) -> Result<(), Malformed> {
    match (kind, code) {
        (_, 0x00 | 0x80..) | (Kind::Suback, 0x01 | 0x02) | (Kind::Puback, 0x10) | (Kind::Unsuback, 0x11) => {
            Ok(())
        }
        (_, other) => Err(Malformed::Code(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::MqttVersion::{V5, V311};
    use super::*;
    use crate::wire::frames::Decoder;

    #[test]
    fn answers_in_good_order_are_read() {
        for (kind, body, version) in [
            (Kind::Puback, &b"\x01\x02"[..], V311),
            (Kind::Puback, b"\x01\x02", V5),
            (Kind::Puback, b"\x01\x02\x10", V5),
            (Kind::Puback, b"\x01\x02\x87\x0b\x1f\x00\x01a\x26\x00\x01k\x00\x01v", V5),
            (Kind::Suback, b"\x01\x02\x80", V311),
            (Kind::Suback, b"\x01\x02\x00\x01", V5),
            (Kind::Suback, b"\x01\x02\x04\x1f\x00\x01a\x87", V5),
            (Kind::Unsuback, b"\x01\x02", V311),
            (Kind::Unsuback, b"\x01\x02\x00\x11", V5),
        ] {
            assert_eq!(parse(kind, body, version), Ok(NonZeroU16::new(0x0102).unwrap()), "{body:x?}");
        }
    }

    #[test]
    fn a_malformed_answer_is_named() {
        for (kind, body, version, malformed) in [
            (Kind::Puback, &b"\x01"[..], V5, Malformed::CutOff),
            (Kind::Puback, b"\x00\x00", V311, Malformed::PacketIdentifier),
            (Kind::Puback, b"\x00\x01\x00", V311, Malformed::Trailing(1)),
            (Kind::Puback, b"\x00\x01\x01", V5, Malformed::Code(1)),
            (Kind::Puback, b"\x00\x01\x00\x01", V5, Malformed::CutOff),
            (Kind::Puback, b"\x00\x01\x00\x02\x24\x01", V5, Malformed::Property(0x24)),
            (Kind::Puback, b"\x00\x01\x00\x04\x1c\x00\x01a", V5, Malformed::Property(0x1c)),
            (Kind::Suback, b"\x00\x01\x04\x1c\x00\x01a\x00", V5, Malformed::Property(0x1c)),
            (Kind::Unsuback, b"\x00\x01\x04\x1c\x00\x01a\x00", V5, Malformed::Property(0x1c)),
            (Kind::Puback, b"\x00\x01\x00\x00\x00", V5, Malformed::Trailing(1)),
            (Kind::Suback, b"\x00\x01", V311, Malformed::CutOff),
            (Kind::Suback, b"\x00\x01\x00", V5, Malformed::CutOff),
            (Kind::Suback, b"\x00\x01\x00\x00\x00", V5, Malformed::Codes(2)),
            (Kind::Suback, b"\x00\x01\x03", V311, Malformed::Code(3)),
            (Kind::Suback, b"\x00\x01\x7f\x00", V5, Malformed::CutOff),
            (Kind::Unsuback, b"\x00\x01\x00", V5, Malformed::CutOff),
            (Kind::Unsuback, b"\x00\x01\x00", V311, Malformed::Trailing(1)),
            (Kind::Unsuback, b"\x00\x01\x00\x01", V5, Malformed::Code(1)),
        ] {
            assert_eq!(parse(kind, body, version), Err(malformed), "{kind:?} {body:x?}");
        }
    }

    #[test]
    fn an_answer_to_another_request_is_malformed_and_one_to_none_is_not() {
        let unanswered = Unanswered::default();
        let one = NonZeroU16::new(1).unwrap();
        unanswered.asked(1, Kind::Suback);
        assert_eq!(unanswered.answered(one, Kind::Puback), Err(Malformed::Mismatch(1)));
        unanswered.asked(1, Kind::Puback);
        assert_eq!(unanswered.answered(one, Kind::Puback), Ok(()));
        assert_eq!(unanswered.answered(one, Kind::Suback), Ok(()));
    }

    #[test]
    fn the_code_of_a_disconnect_counts_whatever_is_malformed_behind_it() {
        for (sent, taken) in [
            (&[0xe0, 0][..], &[0xe0, 0][..]),
            (&[0xe0, 1, 0x8b], &[0xe0, 1, 0x8b]),
            (&[0xe0, 6, 0x8b, 4, 0x1f, 0, 1, b'a'], &[0xe0, 6, 0x8b, 4, 0x1f, 0, 1, b'a']),
            (&[0xe0, 6, 0x9d, 4, 0x1c, 0, 1, b'a'], &[0xe0, 6, 0x9d, 4, 0x1c, 0, 1, b'a']),
            (&[0xe0, 6, 0x8b, 9, 0x1f, 0, 1, b'a'], &[0xe0, 1, 0x8b]),
            (&[0xe0, 4, 0x8b, 2, 0x24, 1], &[0xe0, 1, 0x8b]),
            (&[0xe0, 3, 0x8b, 0, 0], &[0xe0, 1, 0x8b]),
        ] {
            let mut decoder = Decoder::new(100);
            decoder.buffer().extend_from_slice(sent);
            let packet = decoder.next_packet().unwrap().unwrap();
            assert_eq!(disconnect(&packet), taken, "{sent:x?}");
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            for kind in [Kind::Puback, Kind::Suback, Kind::Unsuback] {
                let _ = parse(kind, &bytes, if random.bool() { V5 } else { V311 });
            }
        }
    }
}
