//! Refuses actions that no broker takes, that the quotas do not allow, or that the MQTT library cannot carry.

use super::message::Message;
use super::quotas::Quotas;
use super::version::MqttVersion;

/// The problem with a message, a will's too.
pub(super) fn message_problem(message: &Message, quotas: &Quotas, version: MqttVersion) -> Option<String> {
    if message.topic.contains(['+', '#']) {
        return Some("a topic name holds no wildcard (MQTT 5.0 §4.7.1)".to_owned());
    }
    // A subscription to it is one to a share of another topic (MQTT 5.0 §4.8.2): the message would reach nobody.
    if message.topic.starts_with("$share/") {
        return Some(
            "a topic name does not begin with $share/: that is for filters of shared subscriptions"
                .to_owned(),
        );
    }
    if let Some(problem) = topic_problem(&message.topic, quotas) {
        return Some(problem);
    }
    if let Some(maximum) = quotas.payload.filter(|maximum| message.payload.len() > *maximum) {
        let length = message.payload.len();
        return Some(format!("its payload has {length} bytes, and AWS IoT Core takes at most {maximum}"));
    }
    if version == MqttVersion::V311
        && let Some(property) = message.needs_mqtt_5()
    {
        return Some(format!("MQTT 3.1.1 carries no {property}"));
    }
    properties_problem(message)
}

fn properties_problem(message: &Message) -> Option<String> {
    let pairs = message.user_properties.iter().flat_map(|(name, value)| [name, value]);
    let texts = message.content_type.iter().chain(&message.response_topic).chain(pairs);
    if texts.clone().any(|text| text.contains('\0')) {
        return Some("a property contains U+0000 (MQTT 5.0 §1.5.4)".to_owned());
    }
    let lengths = texts.map(String::len).chain(message.correlation_data.iter().map(Vec::len));
    if lengths.max() > Some(MAXIMUM_TEXT) {
        return Some("a property is longer than 65,535 bytes (MQTT 5.0 §1.5.4)".to_owned());
    }
    match message.response_topic.as_deref() {
        Some("") => Some("its response topic is empty (MQTT 5.0 §4.7.3)".to_owned()),
        Some(topic) if topic.contains(['+', '#']) => {
            Some("its response topic holds a wildcard (MQTT 5.0 §3.3.2.3.5)".to_owned())
        }
        _ => None,
    }
}

/// The problem with a filter to subscribe to.
pub(super) fn subscription_problem(filter: &str, quotas: &Quotas) -> Option<String> {
    let topic = without_group(filter);
    text_problem(filter).or_else(|| topic_problem(topic, quotas)).or_else(|| {
        // https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html
        let is_ingest = topic.starts_with(BASIC_INGEST);
        is_ingest.then(|| "a topic of Basic Ingest is only published to".to_owned())
    })
}

/// The problem with a topic name or filter.
fn topic_problem(topic: &str, quotas: &Quotas) -> Option<String> {
    let counted = without_rule(topic);
    let slashes = counted.matches('/').count();
    text_problem(topic)
        .or_else(|| {
            let maximum = quotas.topic.filter(|maximum| counted.len() > *maximum)?;
            Some(format!("its topic has {} bytes, and AWS IoT Core takes at most {maximum}", counted.len()))
        })
        .or_else(|| {
            let maximum = quotas.topic_slashes.filter(|maximum| slashes > *maximum)?;
            Some(format!("its topic has {slashes} slashes, and AWS IoT Core takes at most {maximum}"))
        })
}

/// The problem with a topic name or filter as a string of MQTT.
pub(super) fn text_problem(text: &str) -> Option<String> {
    let problem = match text {
        "" => "its topic is empty (MQTT 5.0 §4.7.3)",
        text if text.contains('\0') => "its topic contains U+0000 (MQTT 5.0 §1.5.4)",
        text if text.len() > MAXIMUM_TEXT => "its topic is longer than 65,535 bytes (MQTT 5.0 §4.7.3)",
        _ => return None,
    };
    Some(problem.to_owned())
}

/// A topic without the prefix of Basic Ingest, which AWS does not count
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html>).
fn without_rule(topic: &str) -> &str {
    let rest = topic.strip_prefix(BASIC_INGEST).and_then(|rest| rest.split_once('/'));
    rest.map_or(topic, |(_, counted)| counted)
}

/// A filter without the group of a shared subscription (MQTT 5.0 §4.8.2).
fn without_group(filter: &str) -> &str {
    let rest = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    rest.map_or(filter, |(_, filter)| filter)
}

/// The prefix of the topics of Basic Ingest.
const BASIC_INGEST: &str = "$aws/rules/";

/// The length of a string or of binary data has two bytes.
const MAXIMUM_TEXT: usize = u16::MAX as usize;
