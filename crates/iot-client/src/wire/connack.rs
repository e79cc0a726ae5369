use std::time::Duration;

use bytes::Bytes;

use crate::BrokerLimits;
use crate::session::SessionStart;
use crate::wire::fields::{Fields, Malformed, Value};
use crate::wire::property;
use crate::{MqttVersion, ReasonCode};

/// The broker's answer to CONNECT (MQTT 5.0 §3.2). The client reads it itself: paho keeps no more of a refusal than its
/// code, and reads past the end of a malformed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connack {
    /// `None` if the broker accepts the connection.
    pub(crate) refusal: Option<ReasonCode>,
    pub(crate) reason_string: Option<String>,
    pub(crate) session_present: bool,
    pub(crate) limits: BrokerLimits,
}

impl Connack {
    /// Reads what follows the fixed header, as the answer to a CONNECT of `version` that asked for `session`.
    pub(crate) fn parse(body: &[u8], version: MqttVersion, session: SessionStart) -> Result<Self, Malformed> {
        let mut fields = Fields::new(body);
        let (flags, code) = (fields.byte()?, fields.byte()?);
        // A broker that knows MQTT 3.1.1 only says so in its own way.
        let version = if fields.is_empty() && matches!(code, 1..=5) { MqttVersion::V311 } else { version };
        let refusal = (code != 0).then(|| ReasonCode::new(code, version));
        let mut connack = Self {
            refusal,
            reason_string: None,
            session_present: flags == 1,
            limits: BrokerLimits::default(),
        };
        let rest = match version {
            MqttVersion::V5 => fields.properties(|id, value| connack.take(id, value)),
            MqttVersion::V311 => Ok(()),
        };
        if refusal.is_some() {
            // The refusal counts, whatever is wrong behind it.
            return Ok(connack);
        }
        rest?;
        fields.end()?;
        match (flags, session) {
            (0, _) | (1, SessionStart::Resume) => Ok(connack),
            (1, SessionStart::Clean) => Err(Malformed::SessionPresent),
            _ => Err(Malformed::AcknowledgeFlags(flags)),
        }
    }

    pub(crate) fn server_keep_alive(&self) -> Option<Duration> {
        self.limits.server_keep_alive.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// A CONNACK for paho, which needs to know no more than this.
    pub(crate) fn for_paho(&self, version: MqttVersion) -> Bytes {
        let flags = u8::from(self.session_present);
        let code = self.refusal.map_or(0, ReasonCode::code);
        match version {
            MqttVersion::V5 => Bytes::copy_from_slice(&[0x20, 3, flags, code, 0]),
            MqttVersion::V311 => Bytes::copy_from_slice(&[0x20, 2, flags, code]),
        }
    }

    /// Takes one property over (MQTT 5.0 §3.2.2.3).
    fn take(&mut self, id: u8, value: Value<'_>) -> Result<(), Malformed> {
        let limits = &mut self.limits;
        match (id, value) {
            (property::REASON_STRING, Value::Text(text)) => self.reason_string = Some(text.to_owned()),
            (property::SERVER_KEEP_ALIVE, Value::Number(seconds)) => {
                limits.server_keep_alive = Some(narrow("Server Keep Alive", seconds, 0..=u16::MAX)?);
            }
            (property::RECEIVE_MAXIMUM, Value::Number(maximum)) => {
                limits.receive_maximum = Some(narrow("Receive Maximum", maximum, 1..=u16::MAX)?);
            }
            (property::MAXIMUM_QOS, Value::Number(qos)) => {
                limits.maximum_qos = Some(narrow("Maximum QoS", qos, 0..=1)?);
            }
            (property::MAXIMUM_PACKET_SIZE, Value::Number(size)) => {
                limits.maximum_packet_size = Some(narrow("Maximum Packet Size", size, 1..=u32::MAX)?);
            }
            (property::TOPIC_ALIAS_MAXIMUM, Value::Number(maximum)) => {
                limits.topic_alias_maximum = Some(narrow("Topic Alias Maximum", maximum, 0..=u16::MAX)?);
            }
            (property::RETAIN_AVAILABLE, Value::Number(flag)) => {
                limits.retain_available = Some(narrow("Retain Available", flag, 0..=1_u8)? == 1);
            }
            (property::WILDCARD_AVAILABLE, Value::Number(flag)) => {
                let available = narrow("Wildcard Subscription Available", flag, 0..=1_u8)? == 1;
                limits.wildcard_subscriptions = Some(available);
            }
            (property::SHARED_AVAILABLE, Value::Number(flag)) => {
                let available = narrow("Shared Subscription Available", flag, 0..=1_u8)? == 1;
                limits.shared_subscriptions = Some(available);
            }
            // The client uses none.
            (property::SUBSCRIPTION_IDENTIFIERS_AVAILABLE, Value::Number(flag)) => {
                narrow("Subscription Identifiers Available", flag, 0..=1_u8)?;
            }
            // A CONNACK may have these, and the client does not use them.
            (
                property::SESSION_EXPIRY
                | property::ASSIGNED_CLIENT_ID
                | property::AUTHENTICATION_METHOD
                | property::AUTHENTICATION_DATA
                | property::RESPONSE_INFORMATION
                | property::SERVER_REFERENCE
                | property::USER_PROPERTY,
                _,
            ) => {}
            (other, _) => return Err(Malformed::Property(other)),
        }
        Ok(())
    }
}

/// A value within its range.
fn narrow<T: TryFrom<u32> + PartialOrd>(
    property: &'static str,
    value: u32,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, Malformed> {
    let narrowed = T::try_from(value).ok().filter(|narrowed| range.contains(narrowed));
    narrowed.ok_or(Malformed::Value(property, value))
}

#[cfg(test)]
mod tests {
    use super::MqttVersion::{V5, V311};
    use super::*;

    /// The body of a CONNACK of MQTT 5.
    fn body(flags: u8, code: u8, properties: &[u8]) -> Vec<u8> {
        [&[flags, code, properties.len() as u8][..], properties].concat()
    }

    fn accepted(properties: &[u8]) -> Result<Connack, Malformed> {
        Connack::parse(&body(0, 0, properties), V5, SessionStart::Resume)
    }

    #[test]
    fn every_property_of_a_connack_is_read() {
        let properties = [
            &b"\x11\x00\x00\x0e\x10"[..],
            b"\x12\x00\x06client",
            b"\x13\x00\x1e",
            b"\x15\x00\x01m",
            b"\x16\x00\x01\xff",
            b"\x1a\x00\x01r",
            b"\x1c\x00\x01s",
            b"\x1f\x00\x07welcome",
            b"\x21\x00\x64",
            b"\x22\x00\x08",
            b"\x24\x00",
            b"\x25\x00",
            b"\x26\x00\x01k\x00\x01v",
            b"\x26\x00\x01k\x00\x01v",
            b"\x27\x00\x02\x00\x00",
            b"\x28\x00",
            b"\x29\x00",
            b"\x2a\x01",
        ]
        .concat();
        let connack = Connack::parse(&body(1, 0, &properties), V5, SessionStart::Resume).unwrap();
        let limits = BrokerLimits {
            server_keep_alive: Some(30),
            receive_maximum: Some(100),
            maximum_qos: Some(0),
            maximum_packet_size: Some(128 * 1024),
            topic_alias_maximum: Some(8),
            retain_available: Some(false),
            wildcard_subscriptions: Some(false),
            shared_subscriptions: Some(true),
        };
        let reason_string = Some("welcome".to_owned());
        assert_eq!(connack, Connack { refusal: None, reason_string, session_present: true, limits });
        assert_eq!(connack.server_keep_alive(), Some(Duration::from_secs(30)));
        assert_eq!(connack.for_paho(V5), &[0x20, 3, 1, 0, 0][..]);
        for end in 0..properties.len() + 3 {
            let cut = &body(1, 0, &properties)[..end];
            assert_eq!(Connack::parse(cut, V5, SessionStart::Resume), Err(Malformed::CutOff), "{end}");
        }
    }

    #[test]
    fn a_malformed_connack_is_named() {
        for (properties, malformed) in [
            (&b"\x21\x00\x00"[..], Malformed::Value("Receive Maximum", 0)),
            (b"\x27\x00\x00\x00\x00", Malformed::Value("Maximum Packet Size", 0)),
            (b"\x24\x02", Malformed::Value("Maximum QoS", 2)),
            (b"\x25\x02", Malformed::Value("Retain Available", 2)),
            (b"\x28\x02", Malformed::Value("Wildcard Subscription Available", 2)),
            (b"\x29\x02", Malformed::Value("Subscription Identifiers Available", 2)),
            (b"\x2a\xff", Malformed::Value("Shared Subscription Available", 255)),
            (b"\x21\x00\x01\x21\x00\x01", Malformed::Duplicate(0x21)),
            (b"\x1f\x00\x01a\x1f\x00\x01a", Malformed::Duplicate(0x1f)),
            (b"\x01\x00", Malformed::Property(0x01)),
            (b"\x23\x00\x01", Malformed::Property(0x23)),
            (b"\x99\x00", Malformed::Property(0x99)),
            (b"\x1f\x00\x02a\xff", Malformed::NotUtf8),
            (b"\x1f\x00\x02a\x00", Malformed::Nul),
            (b"\x13\x00", Malformed::CutOff),
        ] {
            assert_eq!(accepted(properties), Err(malformed), "{properties:x?}");
        }
        for (body, version, session, malformed) in [
            (&b""[..], V5, SessionStart::Resume, Malformed::CutOff),
            (b"\x00", V311, SessionStart::Resume, Malformed::CutOff),
            (b"\x00\x00", V5, SessionStart::Resume, Malformed::CutOff),
            (b"\x00\x00\x80\x80\x80\x80\x01", V5, SessionStart::Resume, Malformed::Length),
            (b"\x00\x00\x00\x07", V5, SessionStart::Resume, Malformed::Trailing(1)),
            (b"\x00\x00\x00", V311, SessionStart::Resume, Malformed::Trailing(1)),
            (b"\x02\x00\x00", V5, SessionStart::Resume, Malformed::AcknowledgeFlags(2)),
            (b"\x81\x00", V311, SessionStart::Clean, Malformed::AcknowledgeFlags(0x81)),
            (b"\x01\x00\x00", V5, SessionStart::Clean, Malformed::SessionPresent),
            (b"\x01\x00", V311, SessionStart::Clean, Malformed::SessionPresent),
        ] {
            assert_eq!(Connack::parse(body, version, session), Err(malformed), "{body:x?}");
        }
    }

    #[test]
    fn a_refusal_counts_whatever_is_malformed_behind_it() {
        for rest in [&b""[..], b"\x05\x13\x00\x1e\x99\x00", b"\x7f", b"\x00\x07"] {
            let connack = Connack::parse(&[b"\x03\x87", rest].concat(), V5, SessionStart::Clean).unwrap();
            assert_eq!(connack.refusal, Some(ReasonCode::new(0x87, V5)));
        }
        let connack = Connack::parse(&body(0, 0x87, b"\x1f\x00\x02no\x99"), V5, SessionStart::Clean).unwrap();
        assert_eq!(connack.reason_string.as_deref(), Some("no"));
        assert_eq!(connack.for_paho(V5), &[0x20, 3, 0, 0x87, 0][..]);
        let connack = Connack::parse(&[0, 5], V311, SessionStart::Clean).unwrap();
        assert_eq!(connack.refusal, Some(ReasonCode::new(5, V311)));
        assert_eq!(connack.for_paho(V311), &[0x20, 2, 0, 5][..]);
    }

    #[test]
    fn a_broker_of_mqtt_3_1_1_refuses_mqtt_5_in_its_own_words() {
        let connack = Connack::parse(&[0, 1], V5, SessionStart::Clean).unwrap();
        let shown = connack.refusal.unwrap().to_string();
        assert_eq!(shown, "unacceptable protocol version (return code 0x01)");
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            let version = if random.bool() { V5 } else { V311 };
            let _ = Connack::parse(&bytes, version, SessionStart::Resume);
        }
    }
}
