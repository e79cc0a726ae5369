//! The data types of MQTT (MQTT 5.0 §1.5), and its properties.

use std::str;

use crate::wire::property;

/// Reads fields one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(&'a [u8]);

/// A defect of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("ends within a field")]
    CutOff,
    #[error("holds a length of more than four bytes (MQTT 5.0 §1.5.5)")]
    Length,
    #[error("holds text that is not UTF-8 (MQTT 5.0 §1.5.4)")]
    NotUtf8,
    #[error("holds text with U+0000 (MQTT 5.0 §1.5.4)")]
    Nul,
    #[error("has a property {0:#04x}, which it cannot have (MQTT 5.0 §2.2.2.2)")]
    Property(u8),
    #[error("has the property {0:#04x} twice (MQTT 5.0 §2.2.2.2)")]
    Duplicate(u8),
    #[error("has the {0} {1} (MQTT 5.0 §3.2.2.3)")]
    Value(&'static str, u32),
    #[error("has the reserved flags {0:#06b} (MQTT 5.0 §2.1.3)")]
    Flags(u8),
    #[error("has the reserved acknowledge flags {0:#010b} (MQTT 5.0 §3.2.2.1)")]
    AcknowledgeFlags(u8),
    #[error("says that a session is present, and the client asked for a clean start (MQTT 5.0 §3.2.2.1.1)")]
    SessionPresent,
    #[error("has the code {0:#04x}, which it cannot have")]
    Code(u8),
    #[error("has {0} codes for one topic filter")]
    Codes(usize),
    #[error("has {0} bytes behind its last field")]
    Trailing(usize),
    #[error("is for the packet identifier {0}, under which the client asked for something else")]
    Mismatch(u16),
    #[error("has no topic (MQTT 5.0 §3.3.2.1)")]
    NoTopic,
    #[error("has a topic alias, and the client allows none (MQTT 5.0 §3.3.2.3.4)")]
    TopicAlias,
    #[error("has the packet identifier 0 (MQTT 5.0 §2.2.1)")]
    PacketIdentifier,
    #[error("has QoS {0}, which nobody asked for")]
    QoS(u8),
}

/// The value of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Of any width.
    Number(u32),
    Text(&'a str),
    Binary(&'a [u8]),
    Pair(&'a str, &'a str),
}

impl<'a> Value<'a> {
    /// Reads a value of the type that this property has (MQTT 5.0 §2.2.2.2).
    fn read(id: u8, fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => Self::Number(fields.byte()?.into()),
            0x13 | 0x21..=0x23 => Self::Number(fields.two_bytes()?.into()),
            0x02 | 0x11 | 0x18 | 0x27 => Self::Number(fields.four_bytes()?),
            // At most four bytes of seven bits.
            0x0b => Self::Number(u32::try_from(fields.variable_length()?).unwrap_or(u32::MAX)),
            0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => Self::Text(fields.text()?),
            0x09 | 0x16 => Self::Binary(fields.binary()?),
            0x26 => Self::Pair(fields.text()?, fields.text()?),
            unknown => return Err(Malformed::Property(unknown)),
        })
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that have not been read.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// So many bytes.
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    /// A Two Byte Integer.
    pub(crate) fn two_bytes(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// A Four Byte Integer.
    pub(crate) fn four_bytes(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A Variable Byte Integer, which is mostly a length.
    pub(crate) fn variable_length(&mut self) -> Result<usize, Malformed> {
        let mut value = 0;
        for index in 0..4 {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Length)
    }

    /// Binary Data.
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.two_bytes()?;
        self.take(length.into())
    }

    /// A UTF-8 Encoded String.
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let text = str::from_utf8(self.binary()?).map_err(|_| Malformed::NotUtf8)?;
        if text.contains('\0') { Err(Malformed::Nul) } else { Ok(text) }
    }

    /// Properties, with their length in front: hands each to `take`. Only a user property and a subscription identifier
    /// may come twice.
    pub(crate) fn properties(
        &mut self,
        mut take: impl FnMut(u8, Value<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let length = self.variable_length()?;
        let mut properties = Fields(self.take(length)?);
        let mut seen = 0_u64;
        while !properties.is_empty() {
            let id = properties.byte()?;
            let value = Value::read(id, &mut properties)?;
            // No identifier that has a value is above 0x2a.
            let bit = 1 << id;
            if seen & bit != 0 && !matches!(id, property::USER_PROPERTY | property::SUBSCRIPTION_IDENTIFIER) {
                return Err(Malformed::Duplicate(id));
            }
            seen |= bit;
            take(id, value)?;
        }
        Ok(())
    }

    /// Requires that everything has been read.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        match self.0.len() {
            0 => Ok(()),
            length => Err(Malformed::Trailing(length)),
        }
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(*array)
    }
}
