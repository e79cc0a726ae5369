/// The limits of the messages that wait to be published, and which message is given up beyond them. They wait in memory
/// and, with [`ClientOptions::persistence`](super::ClientOptions::persistence), on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Messages; 10,000 by default.
    pub messages: usize,
    /// Bytes of payloads, topics and properties; 16 MiB by default.
    pub bytes: usize,
    /// The message to give up when there is no room; none is given up in silence.
    pub when_full: WhenFull,
}

/// The message to give up when the queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhenFull {
    /// The new one: the call fails with [`Error::QueueFull`](crate::Error::QueueFull).
    #[default]
    RefuseNew,
    /// The oldest that has not been sent yet: its call fails with [`Error::QueueFull`](crate::Error::QueueFull), and
    /// [`Event::Dropped`](super::Event::Dropped) tells of it.
    DropOldest,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { messages: 10_000, bytes: 16 * 1024 * 1024, when_full: WhenFull::default() }
    }
}
