/// The limits of a connection to the broker, kept to on this side: publishing waits until it is allowed, and an action
/// for which the broker would close the connection is refused with
/// [`Error::OperationInvalid`](crate::Error::OperationInvalid).
///
/// `None` is no limit. In-flight messages have [`ClientOptions::max_in_flight`](super::ClientOptions::max_in_flight).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quotas {
    /// Messages published in any second.
    pub publishes_per_second: Option<u32>,
    /// Bytes published in any second, topics and properties included.
    pub bytes_per_second: Option<u32>,
    /// Bytes of a payload.
    pub payload: Option<usize>,
    /// Bytes of a topic, without the prefix of Basic Ingest.
    pub topic: Option<usize>,
    /// Slashes in a topic, without the prefix of Basic Ingest.
    pub topic_slashes: Option<usize>,
    /// Subscriptions of one connection.
    pub subscriptions: Option<usize>,
}

impl Quotas {
    /// Those of AWS IoT Core (<https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits>).
    #[must_use]
    pub fn aws() -> Self {
        Self {
            publishes_per_second: Some(100),
            bytes_per_second: Some(512 * 1024),
            payload: Some(128 * 1024),
            topic: Some(256),
            topic_slashes: Some(7),
            subscriptions: Some(50),
        }
    }

    /// No limits but the protocol's own.
    #[must_use]
    pub fn none() -> Self {
        Self {
            publishes_per_second: None,
            bytes_per_second: None,
            payload: None,
            topic: None,
            topic_slashes: None,
            subscriptions: None,
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self::aws()
    }
}
