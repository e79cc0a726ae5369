use paho_mqtt::{Properties, PropertyCode};

/// What a broker said in its CONNACK of what it takes (MQTT 5.0 §3.2.2.3); `None` where it said nothing, and then
/// MQTT's own default holds. MQTT 3.1.1 has no such words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerLimits {
    /// After how many seconds of silence to ask whether it is still there, in place of what was asked for.
    pub server_keep_alive: Option<u16>,
    /// How many unacknowledged QoS 1 messages it takes at a time.
    pub receive_maximum: Option<u16>,
    /// The highest QoS.
    pub maximum_qos: Option<u8>,
    /// The largest packet, in bytes.
    pub maximum_packet_size: Option<u32>,
    /// How many topic aliases it knows.
    pub topic_alias_maximum: Option<u16>,
    /// Whether it keeps retained messages.
    pub retain_available: Option<bool>,
}

impl BrokerLimits {
    pub(crate) fn of(connack: &Properties) -> Self {
        let property = |code| connack.get(code);
        let two_bytes = |code| property(code).and_then(|property| property.get_u16());
        let byte = |code| property(code).and_then(|property| property.get_byte());
        Self {
            server_keep_alive: two_bytes(PropertyCode::ServerKeepAlive),
            receive_maximum: two_bytes(PropertyCode::ReceiveMaximum),
            maximum_qos: byte(PropertyCode::MaximumQos),
            maximum_packet_size: property(PropertyCode::MaximumPacketSize)
                .and_then(|property| property.get_u32()),
            topic_alias_maximum: two_bytes(PropertyCode::TopicAliasMaximum),
            retain_available: byte(PropertyCode::RetainAvailable).map(|available| available != 0),
        }
    }
}
