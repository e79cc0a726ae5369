//! The packets that the gate sends by itself.

use crate::mqtt::Version;
use crate::mqtt::frame::packet;
use crate::mqtt::properties::{Properties, REASON_STRING, string_value};

/// A CONNACK that refuses: a reason code of MQTT 5 with an optional reason string, or a return code of 3.1.1.
pub(crate) fn connack_refusal(version: Version, code: u8, reason_string: Option<&str>) -> Vec<u8> {
    let mut body = vec![0, code];
    if version == Version::V5 {
        put_reason_string(&mut body, reason_string);
    }
    packet(0x20, &body)
}

/// A DISCONNECT of MQTT 5; a 3.1.1 server has none to send.
pub(crate) fn disconnect(reason: u8, reason_string: Option<&str>) -> Vec<u8> {
    let mut body = vec![reason];
    put_reason_string(&mut body, reason_string);
    packet(0xE0, &body)
}

/// A PUBACK; 3.1.1 has no room for a reason.
pub(crate) fn puback(version: Version, packet_id: u16, reason: u8) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    if version == Version::V5 && reason != 0 {
        body.push(reason);
    }
    packet(0x40, &body)
}

fn put_reason_string(body: &mut Vec<u8>, reason_string: Option<&str>) {
    let value = reason_string.map(string_value);
    let mut properties = Properties::default();
    if let Some(value) = &value {
        properties.set(REASON_STRING, value);
    }
    properties.put(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_the_specification_has_them() {
        assert_eq!(connack_refusal(Version::V311, 5, Some("no room")), [0x20, 2, 0, 5]);
        assert_eq!(connack_refusal(Version::V5, 0x87, None), [0x20, 3, 0, 0x87, 0]);
        assert_eq!(disconnect(0x8E, Some("ab")), [0xE0, 7, 0x8E, 5, 0x1F, 0, 2, b'a', b'b']);
        assert_eq!(puback(Version::V5, 258, 0x87), [0x40, 3, 1, 2, 0x87]);
        assert_eq!(puback(Version::V311, 258, 0x87), [0x40, 2, 1, 2]);
    }
}
