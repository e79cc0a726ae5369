//! Messages as paho has them.

use std::time::Duration;

use paho_mqtt as paho;
use paho_mqtt::PropertyCode;

use crate::message::{Message, QoS};
use crate::outbox::aliases::Form;
use crate::will::Will;

/// A message to publish. [`check`](crate::request::Action::check) lets none through that paho cannot carry.
pub(crate) fn publish(message: &Message, form: &Form) -> Result<paho::Message, paho::Error> {
    let mut properties = properties(message)?;
    let topic = match form {
        Form::Name => message.topic.as_str(),
        Form::Introduced(number) => {
            properties.push_u16(PropertyCode::TopicAlias, *number)?;
            message.topic.as_str()
        }
        Form::Number(number) => {
            properties.push_u16(PropertyCode::TopicAlias, *number)?;
            ""
        }
    };
    Ok(build(message, topic, properties))
}

/// A will, for CONNECT.
pub(crate) fn will(will: &Will) -> Result<paho::Message, paho::Error> {
    let message = &will.message;
    let mut properties = properties(message)?;
    if will.delay > Duration::ZERO {
        properties.push_u32(PropertyCode::WillDelayInterval, seconds(will.delay))?;
    }
    Ok(build(message, &message.topic, properties))
}

pub(crate) fn qos(qos: QoS) -> paho::QoS {
    match qos {
        QoS::AtMostOnce => paho::QoS::AtMostOnce,
        QoS::AtLeastOnce => paho::QoS::AtLeastOnce,
    }
}

/// Whole seconds of an interval, none of them lost: half a second is one.
pub(crate) fn seconds(interval: Duration) -> u32 {
    let whole = interval.as_secs().saturating_add(u64::from(interval.subsec_nanos() > 0));
    u32::try_from(whole).unwrap_or(u32::MAX)
}

fn properties(message: &Message) -> Result<paho::Properties, paho::Error> {
    let mut properties = paho::Properties::new();
    if let Some(expiry) = message.expiry {
        properties.push_u32(PropertyCode::MessageExpiryInterval, seconds(expiry))?;
    }
    if let Some(content_type) = &message.content_type {
        properties.push_string(PropertyCode::ContentType, content_type)?;
    }
    if let Some(topic) = &message.response_topic {
        properties.push_string(PropertyCode::ResponseTopic, topic)?;
    }
    if let Some(data) = &message.correlation_data {
        properties.push_binary(PropertyCode::CorrelationData, data.clone())?;
    }
    for (name, value) in &message.user_properties {
        properties.push_string_pair(PropertyCode::UserProperty, name, value)?;
    }
    Ok(properties)
}

fn build(message: &Message, topic: &str, properties: paho::Properties) -> paho::Message {
    paho::MessageBuilder::new()
        .topic(topic)
        .payload(message.payload.as_slice())
        .qos(qos(message.qos))
        .retained(message.retain)
        .properties(properties)
        .finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_rounded_up_and_has_an_end() {
        let intervals = [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(1500), Duration::MAX];
        assert_eq!(intervals.map(seconds), [0, 1, 2, u32::MAX]);
    }
}
