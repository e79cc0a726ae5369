use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, Serializer};

use crate::{Message, QoS};

/// 2025-01-01, in milliseconds since 1970: a clock that shows less has not been set, as that of a device without a
/// battery after its start.
const CLOCK_SET: u64 = 1_735_689_600_000;

/// A message as it is on disk, in postcard's format (<https://postcard.jamesmunns.com/wire-format>). A change here is
/// another [format](super::database::FORMAT).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record<'a> {
    /// The moment at which the client took it, in milliseconds since 1970 by this machine's clock.
    accepted: u64,
    topic: &'a str,
    #[serde(serialize_with = "at_once")]
    payload: &'a [u8],
    acknowledged: bool,
    retain: bool,
    content_type: Option<&'a str>,
    response_topic: Option<&'a str>,
    #[serde(borrow)]
    correlation_data: Option<&'a [u8]>,
    expiry: Option<Duration>,
    user_properties: Cow<'a, [(String, String)]>,
}

impl<'a> Record<'a> {
    pub(super) fn new(message: &'a Message, accepted: SystemTime) -> Self {
        Self {
            accepted: milliseconds(accepted),
            topic: &message.topic,
            payload: &message.payload,
            acknowledged: message.qos == QoS::AtLeastOnce,
            retain: message.retain,
            content_type: message.content_type.as_deref(),
            response_topic: message.response_topic.as_deref(),
            correlation_data: message.correlation_data.as_deref(),
            expiry: message.expiry,
            user_properties: Cow::Borrowed(&message.user_properties),
        }
    }

    /// Writes it into `buffer`, over what that holds.
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) -> Result<(), postcard::Error> {
        let mut bytes = std::mem::take(buffer);
        bytes.clear();
        *buffer = postcard::to_extend(self, bytes)?;
        Ok(())
    }

    /// Reads what [`encode`](Self::encode) wrote, and nothing else.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, postcard::Error> {
        match postcard::take_from_bytes(bytes)? {
            (record, []) => Ok(record),
            _ => Err(postcard::Error::DeserializeBadEncoding),
        }
    }

    /// The message as it is to be sent at `now`, or nothing when its expiry has passed.
    ///
    /// The time that it has waited counts (MQTT 5.0 §3.3.2.3.3), as far as the clock tells: one that was not set, or
    /// that went backwards, expires nothing.
    pub(super) fn message_at(self, now: SystemTime) -> Option<Message> {
        let waited = match self.accepted {
            ..CLOCK_SET => Duration::ZERO,
            accepted => Duration::from_millis(milliseconds(now).saturating_sub(accepted)),
        };
        let expiry = match self.expiry {
            Some(expiry) if waited > Duration::ZERO => {
                let left = expiry.checked_sub(waited).filter(|left| !left.is_zero())?;
                // MQTT has whole seconds, and 0 would be none at all.
                Some(Duration::from_secs(left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))))
            }
            expiry => expiry,
        };
        Some(Message {
            topic: self.topic.to_owned(),
            payload: self.payload.to_owned(),
            qos: if self.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce },
            retain: self.retain,
            content_type: self.content_type.map(str::to_owned),
            response_topic: self.response_topic.map(str::to_owned),
            correlation_data: self.correlation_data.map(<[u8]>::to_owned),
            expiry,
            user_properties: self.user_properties.into_owned(),
        })
    }
}

/// A message that an earlier process left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) key: u64,
    pub(crate) message: Message,
}

/// A clock before 1970 is one that was not set.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The same bytes as serde's own way, which goes through them one by one.
fn at_once<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
