use std::fmt;

use super::Message;

/// A request of the application to the broker, as errors name it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Publish a message.
    Publish {
        /// The topic name.
        topic: String,
        /// Asks the broker to keep the message.
        retain: bool,
    },
    /// Subscribe to a topic filter.
    Subscribe {
        /// The topic filter.
        filter: String,
    },
    /// Remove a subscription.
    Unsubscribe {
        /// The topic filter.
        filter: String,
    },
    /// Wait for a message.
    Receive {
        /// The topic name.
        topic: String,
    },
    /// End the connection.
    Disconnect,
}

impl Operation {
    /// To publish this message.
    pub(crate) fn publish(message: &Message) -> Self {
        Self::Publish { topic: message.topic.clone(), retain: message.retain }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Publish { topic, .. } => write!(f, "publish to {topic}"),
            Operation::Subscribe { filter } => write!(f, "subscribe to {filter}"),
            Operation::Unsubscribe { filter } => write!(f, "unsubscribe from {filter}"),
            Operation::Receive { topic } => write!(f, "receive on {topic}"),
            Operation::Disconnect => f.write_str("disconnect"),
        }
    }
}

/// The permissions that a CONNECT asks for beside `iot:Connect` itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectAsked {
    /// To publish the will, if there is one.
    pub will: Option<Operation>,
    /// Resumes the session of an earlier run.
    pub session: bool,
}
