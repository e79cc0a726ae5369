use std::num::NonZeroU16;
use std::time::Duration;

use crate::wire::fields::{Fields, Malformed, Value};
use crate::wire::property;
use crate::{Message, MqttVersion, QoS};

/// A PUBLISH that has arrived (MQTT 5.0 §3.3).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    /// The identifier for the PUBACK: of QoS 1 only.
    pub(crate) packet_id: Option<NonZeroU16>,
    pub(crate) message: Message,
}

impl Publish {
    /// Reads the flags of the fixed header and what follows that.
    pub(crate) fn parse(flags: u8, body: &[u8], version: MqttVersion) -> Result<Self, Malformed> {
        let mut fields = Fields::new(body);
        let qos = match qos(flags) {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            // The client subscribes with 0 and 1.
            other => return Err(Malformed::QoS(other)),
        };
        let mut message = Message { qos, retain: flags & 1 == 1, ..Message::default() };
        fields.text()?.clone_into(&mut message.topic);
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => {
                Some(NonZeroU16::new(fields.two_bytes()?).ok_or(Malformed::PacketIdentifier)?)
            }
        };
        if version == MqttVersion::V5 {
            read_properties(&mut fields, &mut message)?;
        }
        if message.topic.is_empty() {
            return Err(Malformed::NoTopic);
        }
        message.payload = fields.rest().to_vec();
        Ok(Self { packet_id, message })
    }
}

/// Reads the properties (MQTT 5.0 §3.3.2.3).
fn read_properties(fields: &mut Fields<'_>, message: &mut Message) -> Result<(), Malformed> {
    fields.properties(|id, value| {
        match (id, value) {
            (property::PAYLOAD_FORMAT | property::SUBSCRIPTION_IDENTIFIER, _) => {}
            (property::MESSAGE_EXPIRY, Value::Number(seconds)) => {
                message.expiry = Some(Duration::from_secs(seconds.into()));
            }
            (property::CONTENT_TYPE, Value::Text(text)) => message.content_type = Some(text.to_owned()),
            (property::RESPONSE_TOPIC, Value::Text(topic)) => message.response_topic = Some(topic.to_owned()),
            (property::CORRELATION_DATA, Value::Binary(data)) => {
                message.correlation_data = Some(data.to_vec())
            }
            (property::USER_PROPERTY, Value::Pair(name, value)) => {
                message.user_properties.push((name.to_owned(), value.to_owned()));
            }
            (property::TOPIC_ALIAS, _) => return Err(Malformed::TopicAlias),
            (other, _) => return Err(Malformed::Property(other)),
        }
        Ok(())
    })
}

/// The QoS in the flags of a PUBLISH (MQTT 5.0 §3.3.1.2).
pub(crate) fn qos(flags: u8) -> u8 {
    (flags >> 1) & 3
}

/// A PUBACK that says success, on MQTT 5 in its short form (MQTT 5.0 §3.4.2.1).
pub(crate) fn puback(packet_id: NonZeroU16) -> [u8; 4] {
    let [high, low] = packet_id.get().to_be_bytes();
    [0x40, 0x02, high, low]
}

#[cfg(test)]
mod tests {
    use super::MqttVersion::{V5, V311};
    use super::*;

    #[test]
    fn every_property_of_a_publish_arrives() {
        let properties = [
            &b"\x01\x01"[..],
            b"\x02\x00\x00\x00\x3c",
            b"\x03\x00\x0aplain/text",
            b"\x08\x00\x05a/b/c",
            b"\x09\x00\x03\x00\xff\x01",
            b"\x0b\x80\x01",
            b"\x26\x00\x01k\x00\x01v",
            b"\x26\x00\x01k\x00\x00",
        ]
        .concat();
        let body = [b"\x00\x01t\x01\x02", &[properties.len() as u8][..], &properties, b"payload"].concat();
        let publish = Publish::parse(0x0b, &body, V5).unwrap();
        let message = Message {
            topic: "t".to_owned(),
            payload: b"payload".to_vec(),
            qos: QoS::AtLeastOnce,
            retain: true,
            content_type: Some("plain/text".to_owned()),
            response_topic: Some("a/b/c".to_owned()),
            correlation_data: Some(vec![0, 255, 1]),
            expiry: Some(Duration::from_secs(60)),
            user_properties: vec![("k".to_owned(), "v".to_owned()), ("k".to_owned(), String::new())],
        };
        assert_eq!(publish, Publish { packet_id: NonZeroU16::new(0x0102), message });
        for end in 0..body.len() - b"payload".len() {
            assert_eq!(Publish::parse(0x0b, &body[..end], V5), Err(Malformed::CutOff), "{end} bytes");
        }
    }

    #[test]
    fn mqtt_3_1_1_has_no_properties() {
        let publish = Publish::parse(0, b"\x00\x03a/b\x00x", V311).unwrap();
        let message = Message { qos: QoS::AtMostOnce, ..Message::new("a/b", *b"\0x") };
        assert_eq!(publish, Publish { packet_id: None, message });
        assert_eq!(Publish::parse(0, b"\x00\x01t", V311).unwrap().message.payload, b"");
    }

    #[test]
    fn what_is_wrong_with_a_publish_is_named() {
        for (flags, body, malformed) in [
            (0, &b"\x00\x03a\0b\x00"[..], Malformed::Nul),
            (0, b"\x00\x02a\xff\x00", Malformed::NotUtf8),
            (0, b"\x00\x00\x00", Malformed::NoTopic),
            (0, b"\x00", Malformed::CutOff),
            (0, b"\x00\x09ab", Malformed::CutOff),
            (4, b"\x00\x01t\x00\x01\x00", Malformed::QoS(2)),
            (6, b"\x00\x01t\x00\x01\x00", Malformed::QoS(3)),
            (2, b"\x00\x01t\x00\x00\x00", Malformed::PacketIdentifier),
            (2, b"\x00\x01t\x01", Malformed::CutOff),
            // Properties: without a value, longer than the packet, half a length, of five bytes.
            (0, b"\x00\x01t\x01\x01", Malformed::CutOff),
            (0, b"\x00\x01t\x7f", Malformed::CutOff),
            (0, b"\x00\x01t\x80", Malformed::CutOff),
            (0, b"\x00\x01t\x80\x80\x80\x80\x01", Malformed::Length),
            (0, b"\x00\x01t\x03\x23\x00\x01", Malformed::TopicAlias),
            (0, b"\x00\x00\x03\x23\x00\x01", Malformed::TopicAlias),
            (0, b"\x00\x01t\x03\x24\x00\x01", Malformed::Property(0x24)),
            (0, b"\x00\x01t\x04\x03\x00\x01\xff", Malformed::NotUtf8),
            (0, b"\x00\x01t\x04\x01\x00\x01\x00", Malformed::Duplicate(1)),
            (0, b"\x00\x01t\x02\x7e\x00", Malformed::Property(0x7e)),
            (0, b"\x00\x01t\x07\x26\x00\x01k\x00\x01\x00", Malformed::Nul),
        ] {
            assert_eq!(Publish::parse(flags, body, V5), Err(malformed), "{body:x?}");
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            let version = if random.bool() { V5 } else { V311 };
            let _ = Publish::parse(random.u8(..16), &bytes, version);
        }
    }
}
