use std::time::Duration;

use super::Message;

/// A message that the broker publishes in the client's place when the connection ends without the client's own DISCONNECT
/// (MQTT 5.0 §3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Will {
    /// The message.
    pub message: Message,
    /// The time that the broker waits for the client to come back first, in whole seconds (MQTT 5).
    pub delay: Duration,
}

impl Will {
    /// A will that is published at once.
    #[must_use]
    pub fn new(message: Message) -> Self {
        Self { message, delay: Duration::ZERO }
    }
}
