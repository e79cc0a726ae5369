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
    /// A topic filter may have wildcards.
    pub wildcard_subscriptions: Option<bool>,
    /// Subscriptions may be shared.
    pub shared_subscriptions: Option<bool>,
}
