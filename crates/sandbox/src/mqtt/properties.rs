//! The properties of MQTT 5 packets (§2.2.2).

use std::collections::HashSet;

use crate::mqtt::reader::{Reader, put_binary, put_varint};
use crate::mqtt::{Malformed, PacketError};

pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
pub(crate) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(crate) const REASON_STRING: u8 = 0x1F;
pub(crate) const TOPIC_ALIAS: u8 = 0x23;
pub(crate) const USER_PROPERTY: u8 = 0x26;

/// One property; `value` is encoded as on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property<'a> {
    pub(crate) id: u8,
    pub(crate) value: &'a [u8],
}

impl Property<'_> {
    /// The value of a Two Byte Integer property.
    pub(crate) fn u16(&self) -> Option<u16> {
        Reader::new(self.value).u16().ok()
    }

    /// The key of a User Property.
    pub(crate) fn key(&self) -> Option<&str> {
        Reader::new(self.value).string().ok()
    }
}

/// The properties of one packet, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties<'a>(Vec<Property<'a>>);

impl<'a> Properties<'a> {
    /// Reads the length and as many properties as it holds.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, PacketError> {
        let length = reader.varint()?;
        let mut block = Reader::new(reader.take(length)?);
        let mut properties = Vec::new();
        let mut seen = HashSet::new();
        while !block.is_empty() {
            let id = block.u8()?;
            let start = block.rest();
            skip_value(id, &mut block)?;
            let repeatable = matches!(id, USER_PROPERTY | SUBSCRIPTION_IDENTIFIER);
            if !repeatable && !seen.insert(id) {
                return Err(PacketError::DuplicateProperty);
            }
            let value = &start[..start.len() - block.rest().len()];
            properties.push(Property { id, value });
        }
        Ok(Properties(properties))
    }

    pub(crate) fn find(&self, id: u8) -> Option<Property<'a>> {
        self.0.iter().find(|property| property.id == id).copied()
    }

    /// Drops what `keep` refuses.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Property<'_>) -> bool) {
        self.0.retain(|property| keep(property));
    }

    /// Adds a property, or replaces the one with the same identifier.
    pub(crate) fn set(&mut self, id: u8, value: &'a [u8]) {
        self.0.retain(|property| property.id != id);
        self.0.push(Property { id, value });
    }

    /// Appends the length and the properties.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.iter().map(|property| 1 + property.value.len()).sum());
        for property in &self.0 {
            out.push(property.id);
            out.extend_from_slice(property.value);
        }
    }
}

/// A string as the value of a property.
pub(crate) fn string_value(text: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len() + 2);
    put_binary(&mut value, text.as_bytes());
    value
}

/// Each identifier fixes the type of its value (table 2-4).
fn skip_value(id: u8, reader: &mut Reader<'_>) -> Result<(), Malformed> {
    match id {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => reader.take(1).map(drop),
        0x13 | 0x21 | 0x22 | 0x23 => reader.take(2).map(drop),
        0x02 | 0x11 | 0x18 | 0x27 => reader.take(4).map(drop),
        0x0B => reader.varint().map(drop),
        0x03 | 0x08 | 0x12 | 0x15 | 0x1A | 0x1C | 0x1F => reader.string().map(drop),
        0x09 | 0x16 => reader.binary().map(drop),
        0x26 => reader.string().and_then(|_| reader.string()).map(drop),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_finds_replaces_and_writes() {
        let bytes = [12, 0x23, 0, 5, 0x26, 0, 1, b'k', 0, 1, b'v', 0x01, 1, 0xAA];
        let mut reader = Reader::new(&bytes);
        let mut properties = Properties::read(&mut reader).unwrap();
        assert_eq!(reader.rest(), [0xAA]);
        assert_eq!(properties.find(TOPIC_ALIAS).and_then(|alias| alias.u16()), Some(5));
        assert_eq!(properties.find(USER_PROPERTY).unwrap().key(), Some("k"));
        properties.retain(|property| property.id != USER_PROPERTY);
        properties.set(TOPIC_ALIAS, &[0, 6]);
        let mut out = Vec::new();
        properties.put(&mut out);
        assert_eq!(out, [5, 0x01, 1, 0x23, 0, 6]);
    }

    #[test]
    fn refuses_unknown_identifiers_and_short_values() {
        for bytes in [&[2, 0x7E, 0][..], &[2, 0x23, 0], &[3, 0x23, 0]] {
            assert_eq!(Properties::read(&mut Reader::new(bytes)).err(), Some(PacketError::Malformed));
        }
    }

    #[test]
    fn refuses_what_may_occur_once_and_occurs_twice() {
        let read = |bytes| Properties::read(&mut Reader::new(bytes)).map(|properties| properties.0.len());
        assert_eq!(read(&[6, 0x23, 0, 5, 0x23, 0, 5]), Err(PacketError::DuplicateProperty));
        assert_eq!(read(&[4, 0x0B, 1, 0x0B, 2]), Ok(2));
        assert_eq!(read(&[10, 0x26, 0, 0, 0, 0, 0x26, 0, 0, 0, 0]), Ok(2));
    }
}
