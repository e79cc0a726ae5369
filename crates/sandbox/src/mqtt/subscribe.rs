//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5 §3.8 and §3.10).

use crate::mqtt::frame::packet;
use crate::mqtt::properties::Properties;
use crate::mqtt::reader::{Reader, put_binary};
use crate::mqtt::{PacketError, Version};

/// Retain Handling 2 (MQTT 5 §3.8.3.1): send no retained messages.
const NO_RETAINED_MESSAGES: u8 = 0x20;
const RETAIN_HANDLING: u8 = 0x30;

/// A SUBSCRIBE: each filter with its options byte.
#[derive(Clone, Debug)]
pub(crate) struct Subscribe<'a> {
    pub(crate) filters: Vec<(&'a str, u8)>,
    pub(crate) properties: Properties<'a>,
    packet_id: u16,
}

impl<'a> Subscribe<'a> {
    pub(crate) fn parse(body: &'a [u8], version: Version) -> Result<Self, PacketError> {
        let mut reader = Reader::new(body);
        let packet_id = reader.u16()?;
        let properties = match version {
            Version::V5 => Properties::read(&mut reader)?,
            Version::V311 => Properties::default(),
        };
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push((reader.string()?, reader.u8()?));
        }
        if filters.is_empty() || packet_id == 0 {
            Err(PacketError::Malformed)
        } else {
            Ok(Subscribe { filters, properties, packet_id })
        }
    }

    /// Asks for no retained messages where the filter holds a wildcard: AWS IoT sends them for exact topics only.
    /// MQTT 3.1.1 has no such option, so there the gate looks at the deliveries.
    pub(crate) fn without_retained_for_wildcards(&mut self) {
        for (filter, options) in &mut self.filters {
            if filter.contains(['+', '#']) {
                *options = *options & !RETAIN_HANDLING | NO_RETAINED_MESSAGES;
            }
        }
    }

    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = self.packet_id.to_be_bytes().to_vec();
        if version == Version::V5 {
            self.properties.put(&mut body);
        }
        for (filter, options) in &self.filters {
            put_binary(&mut body, filter.as_bytes());
            body.push(*options);
        }
        packet(0x82, &body)
    }
}

/// The filters of an UNSUBSCRIBE.
pub(crate) fn unsubscribed(body: &[u8], version: Version) -> Result<Vec<&str>, PacketError> {
    let mut reader = Reader::new(body);
    reader.u16()?;
    if version == Version::V5 {
        Properties::read(&mut reader)?;
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(reader.string()?);
    }
    if filters.is_empty() { Err(PacketError::Malformed) } else { Ok(filters) }
}
