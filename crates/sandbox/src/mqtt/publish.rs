//! PUBLISH (MQTT 5 §3.3, MQTT 3.1.1 §3.3).

use crate::mqtt::frame::{Frame, packet};
use crate::mqtt::properties::Properties;
use crate::mqtt::reader::{Reader, put_binary};
use crate::mqtt::{Malformed, PacketError, Version};

/// A PUBLISH, its parts borrowed from the frame.
#[derive(Clone, Debug)]
pub(crate) struct Publish<'a> {
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    /// Empty when a topic alias stands for it.
    pub(crate) topic: &'a str,
    /// `None` at QoS 0.
    pub(crate) packet_id: Option<u16>,
    pub(crate) properties: Properties<'a>,
    pub(crate) payload: &'a [u8],
    flags: u8,
}

impl<'a> Publish<'a> {
    pub(crate) fn parse(frame: &'a Frame, version: Version) -> Result<Self, PacketError> {
        let flags = frame.flags();
        let qos = flags >> 1 & 0x03;
        let mut reader = Reader::new(frame.body());
        let topic = reader.string()?;
        let packet_id = match qos {
            0 => None,
            1 | 2 => Some(reader.u16()?).filter(|id| *id != 0).ok_or(Malformed).map(Some)?,
            _ => return Err(PacketError::Malformed),
        };
        let properties = match version {
            Version::V5 => Properties::read(&mut reader)?,
            Version::V311 => Properties::default(),
        };
        let payload = reader.rest();
        Ok(Publish { qos, retain: flags & 0x01 != 0, topic, packet_id, properties, payload, flags })
    }

    /// The packet again, with what was changed in it.
    pub(crate) fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.topic.len() + self.payload.len() + 64);
        put_binary(&mut body, self.topic.as_bytes());
        if let Some(id) = self.packet_id {
            body.extend_from_slice(&id.to_be_bytes());
        }
        if version == Version::V5 {
            self.properties.put(&mut body);
        }
        body.extend_from_slice(self.payload);
        packet(0x30 | self.flags, &body)
    }
}
