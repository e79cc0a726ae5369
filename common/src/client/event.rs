use std::sync::Arc;

use crate::error::Error;
use crate::timeline::Timeline;

/// Quality of service of a message. AWS IoT Core has no QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QoS {
    /// QoS 0: sent once, never acknowledged.
    AtMostOnce,
    /// QoS 1: sent until acknowledged, so it may arrive more than once.
    #[default]
    AtLeastOnce,
}

/// An application message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The topic name.
    pub topic: String,
    /// The payload, at most 128 KiB on AWS IoT Core.
    pub payload: Vec<u8>,
    /// Quality of service.
    pub qos: QoS,
    /// Whether the broker keeps it for later subscribers, or, on a message received, had kept it.
    pub retain: bool,
}

impl Message {
    /// A QoS 1 message.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), qos: QoS::AtLeastOnce, retain: false }
    }
}

/// What happens to a client, in order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A connection attempt begins.
    Attempting,
    /// The broker accepted the connection.
    Connected {
        /// Whether the broker still had the session of an earlier connection.
        session_present: bool,
        /// The steps of the attempt.
        timeline: Timeline,
    },
    /// An attempt to reconnect failed; another follows unless [`Stopped`](Event::Stopped) does.
    ConnectionFailed {
        /// Why.
        error: Arc<Error>,
    },
    /// An established connection ended without being asked to.
    Disconnected {
        /// Why.
        error: Arc<Error>,
    },
    /// A message arrived.
    Message(Message),
    /// The client has ended for good.
    Stopped {
        /// Why; `None` after [`Client::disconnect`](super::Client::disconnect).
        error: Option<Arc<Error>>,
    },
}
