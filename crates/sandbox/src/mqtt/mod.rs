//! As much of the MQTT wire format as the gate has to see: frames, CONNECT, PUBLISH, SUBSCRIBE, and the few packets
//! that the gate sends itself (OASIS MQTT 3.1.1 and MQTT 5.0).

pub(crate) mod connect;
pub(crate) mod frame;
pub(crate) mod properties;
pub(crate) mod publish;
pub(crate) mod reader;
pub(crate) mod reply;
pub(crate) mod subscribe;

/// The protocol level of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// MQTT 3.1.1, level 4.
    V311,
    /// MQTT 5.0, level 5.
    V5,
}

impl Version {
    /// The level as CONNECT carries it.
    pub(crate) fn level(self) -> u8 {
        match self {
            Version::V311 => 4,
            Version::V5 => 5,
        }
    }
}

/// Bytes that do not follow the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Why a packet with properties cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    /// Bytes that do not follow the specification.
    Malformed,
    /// A property that may occur once occurs again: a protocol error (MQTT 5 §3.1.2.11 and others).
    DuplicateProperty,
}

impl From<Malformed> for PacketError {
    fn from(_: Malformed) -> Self {
        PacketError::Malformed
    }
}

/// Reason codes of MQTT 5 (§2.4) that the gate uses.
pub(crate) mod reason {
    pub(crate) const MALFORMED_PACKET: u8 = 0x81;
    pub(crate) const PROTOCOL_ERROR: u8 = 0x82;
    pub(crate) const CLIENT_ID_NOT_VALID: u8 = 0x85;
    pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
    pub(crate) const BAD_AUTHENTICATION_METHOD: u8 = 0x8C;
    pub(crate) const KEEP_ALIVE_TIMEOUT: u8 = 0x8D;
    pub(crate) const TOPIC_FILTER_INVALID: u8 = 0x8F;
    pub(crate) const TOPIC_NAME_INVALID: u8 = 0x90;
    pub(crate) const TOPIC_ALIAS_INVALID: u8 = 0x94;
    pub(crate) const PACKET_TOO_LARGE: u8 = 0x95;
    pub(crate) const QUOTA_EXCEEDED: u8 = 0x97;
    pub(crate) const RETAIN_NOT_SUPPORTED: u8 = 0x9A;
    pub(crate) const QOS_NOT_SUPPORTED: u8 = 0x9B;
    pub(crate) const MAXIMUM_CONNECT_TIME: u8 = 0xA0;
    pub(crate) const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: u8 = 0xA1;
}
