//! Packets for a client that are not the broker's own.

/// What the gate itself, or a test, sends to a client; the order is kept.
#[derive(Debug)]
pub(crate) struct ToClient {
    /// A whole packet, or nothing.
    pub(crate) packet: Vec<u8>,
    /// How many PUBACKs of the broker go before it: they keep the order of their PUBLISHes (MQTT 5 §4.6).
    pub(crate) after_pubacks: u64,
    /// Whether the connection is closed behind it.
    pub(crate) last: bool,
}
