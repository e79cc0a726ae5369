use std::time::Duration;

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
///
/// The fields after `retain` are properties of MQTT 5 (MQTT 5.0 §3.3.2.3); MQTT 3.1.1 cannot carry them, and a message
/// that has one is refused there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Message {
    /// The topic name.
    pub topic: String,
    /// The payload, at most 128 KiB on AWS IoT Core.
    pub payload: Vec<u8>,
    /// Quality of service.
    pub qos: QoS,
    /// Asks the broker to keep the message for later subscribers; on a message received, the broker had kept it.
    pub retain: bool,
    /// The kind of the payload, mostly a MIME type.
    pub content_type: Option<String>,
    /// The topic that an answer is to go to.
    pub response_topic: Option<String>,
    /// Data that an answer repeats, so that it finds its question.
    pub correlation_data: Option<Vec<u8>>,
    /// The time for which the broker keeps the message for subscribers that are away, in whole seconds.
    pub expiry: Option<Duration>,
    /// Names and values of the application's own; a name may come more than once.
    pub user_properties: Vec<(String, String)>,
}

impl Message {
    /// A QoS 1 message.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), ..Self::default() }
    }

    /// The bytes that count in quotas and in the queue: topic, payload and properties.
    pub(super) fn size(&self) -> usize {
        let texts = self.content_type.iter().chain(&self.response_topic);
        let pairs = self.user_properties.iter().map(|(name, value)| name.len() + value.len());
        let properties =
            texts.map(String::len).chain(self.correlation_data.iter().map(Vec::len)).chain(pairs);
        self.topic.len() + self.payload.len() + properties.sum::<usize>()
    }

    /// The memory that it takes, in bytes, about: a user property of two letters has seven in a packet.
    pub(super) fn memory(&self) -> usize {
        // The allocator adds as much again to a short text.
        const PAIR: usize = 2 * size_of::<(String, String)>();
        size_of::<Self>() + self.size() + self.user_properties.len() * PAIR
    }

    /// The name of a field that only MQTT 5 can carry, if the message has one.
    pub(super) fn needs_mqtt_5(&self) -> Option<&'static str> {
        let Self { content_type, response_topic, correlation_data, expiry, user_properties, .. } = self;
        [
            (content_type.is_some(), "content type"),
            (response_topic.is_some(), "response topic"),
            (correlation_data.is_some(), "correlation data"),
            (expiry.is_some(), "message expiry"),
            (!user_properties.is_empty(), "user properties"),
        ]
        .into_iter()
        .find_map(|(is_there, name)| is_there.then_some(name))
    }
}
