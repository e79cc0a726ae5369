/// A limit that a broker announces in its CONNACK (MQTT 5.0 §3.2.2.3), and that an operation is beyond.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerLimit {
    /// Maximum Packet Size.
    #[error("takes packets of at most {maximum} bytes (Maximum Packet Size), and this one has {size}")]
    PacketSize {
        /// Bytes of the packet.
        size: usize,
        /// Bytes that the broker takes.
        maximum: u32,
    },
    /// Maximum QoS.
    #[error("takes QoS 0 at most (Maximum QoS), and this is QoS 1")]
    QoS,
    /// Retain Available.
    #[error("keeps no retained messages (Retain Available)")]
    Retain,
    /// Wildcard Subscription Available.
    #[error("takes no topic filters with wildcards (Wildcard Subscription Available)")]
    Wildcard,
    /// Shared Subscription Available.
    #[error("takes no shared subscriptions (Shared Subscription Available)")]
    Shared,
}
