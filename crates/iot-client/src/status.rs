/// The state of a client at one moment: counts since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// A connection stands.
    pub connected: bool,
    /// Connections made, the first included.
    pub connections: u64,
    /// Messages that wait to be sent.
    pub queued: usize,
    /// Messages sent and not acknowledged yet.
    pub in_flight: usize,
    /// Messages published: acknowledged by the broker, or sent with QoS 0.
    pub published: u64,
    /// Messages received, with those that still wait for the application to take them.
    pub received: u64,
    /// Messages given up because the queue was full.
    pub dropped: u64,
}
