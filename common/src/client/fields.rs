//! The data types of MQTT (MQTT 5.0 §1.5).

use std::str;

/// Reads fields one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
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
    #[error("has no topic (MQTT 5.0 §3.3.2.1)")]
    NoTopic,
    #[error("has a topic alias, and the client allows none (MQTT 5.0 §3.3.2.3.4)")]
    TopicAlias,
    #[error("has the packet identifier 0 (MQTT 5.0 §2.2.1)")]
    PacketIdentifier,
    #[error("has QoS {0}, which nobody asked for")]
    QoS(u8),
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// So many bytes.
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    /// A Two Byte Integer.
    pub(super) fn two_bytes(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// A Four Byte Integer.
    pub(super) fn four_bytes(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A Variable Byte Integer, which is mostly a length.
    pub(super) fn variable_length(&mut self) -> Result<usize, Malformed> {
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
    pub(super) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.two_bytes()?;
        self.take(length.into())
    }

    /// A UTF-8 Encoded String.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let text = str::from_utf8(self.binary()?).map_err(|_| Malformed::NotUtf8)?;
        if text.contains('\0') { Err(Malformed::Nul) } else { Ok(text) }
    }

    /// Fields that have their length in front.
    pub(super) fn properties(&mut self) -> Result<Fields<'a>, Malformed> {
        let length = self.variable_length()?;
        self.take(length).map(Fields)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(*array)
    }
}
