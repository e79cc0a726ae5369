//! The limits of AWS IoT Core's message broker ([quotas]), and how long clients are waited for.
//!
//! [quotas]: https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits

use std::time::Duration;

use crate::mqtt::reason;

/// A payload, in bytes.
pub(crate) const PAYLOAD: usize = 128 * 1024;
/// A whole packet, in bytes: a payload with room for topic and properties. AWS announces it in CONNACK.
pub(crate) const PACKET: usize = 149_504;
/// A client ID, in bytes.
pub(crate) const CLIENT_ID: usize = 128;
/// A topic or topic filter, in bytes.
pub(crate) const TOPIC: usize = 256;
/// A rule of Basic Ingest, or a group of shared subscriptions, in bytes.
pub(crate) const NAME: usize = 256;
/// Slashes of a topic or topic filter.
pub(crate) const SLASHES: usize = 7;
/// Filters of one SUBSCRIBE.
pub(crate) const FILTERS: usize = 8;
/// Subscriptions of one connection.
pub(crate) const SUBSCRIPTIONS: usize = 50;
/// Unacknowledged messages of QoS 1, each way.
pub(crate) const IN_FLIGHT: u16 = 100;
/// Topic aliases of one connection.
pub(crate) const TOPIC_ALIASES: u16 = 8;

/// How long the gate waits for clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long a client may take for its CONNECT.
    pub(crate) connect: Duration,
    /// How long a client may take to read what it is sent.
    pub(crate) send: Duration,
    /// How long a second of the keep-alive lasts; tests have short ones.
    pub(crate) keep_alive_second: Duration,
    /// How long a second of a custom authorizer's answer lasts; tests have short ones.
    pub(crate) authorizer_second: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(30),
            keep_alive_second: Duration::from_secs(1),
            authorizer_second: Duration::from_secs(1),
        }
    }
}

/// The keep-alive that holds for one that a client asks for, in seconds. None at all means the longest.
pub(crate) fn keep_alive(asked: u16) -> u16 {
    if asked == 0 { 1200 } else { asked.clamp(30, 1200) }
}

/// How long a client may be silent: one and a half times the keep-alive (MQTT 5 §3.1.2.10).
pub(crate) fn silence(keep_alive: u16, second: Duration) -> Duration {
    second * u32::from(keep_alive) * 3 / 2
}

/// Judges the name of a topic to publish to; the reason code of a refusal.
pub(crate) fn topic_name(topic: &str) -> Result<(), u8> {
    // The prefix of Basic Ingest, `$aws/rules/<rule>/`, does not count.
    let (counted, whole) = match topic.strip_prefix("$aws/rules/").map(|rest| rest.split_once('/')) {
        Some(Some((rule, topic))) => (topic, !rule.is_empty() && rule.len() <= NAME),
        Some(None) => ("", false),
        None => (topic, true),
    };
    let valid = whole && !counted.is_empty() && !topic.contains(['+', '#']) && fits(counted);
    if valid { Ok(()) } else { Err(reason::TOPIC_NAME_INVALID) }
}

/// Judges a topic filter to subscribe to; the reason code of a refusal.
pub(crate) fn topic_filter(filter: &str) -> Result<(), u8> {
    let topic = match filter.strip_prefix("$share/") {
        Some(shared) => match shared.split_once('/') {
            Some((group, topic))
                if !group.is_empty() && group.len() <= NAME && !group.contains(['+', '#']) =>
            {
                topic
            }
            _ => return Err(reason::TOPIC_FILTER_INVALID),
        },
        None => filter,
    };
    let mut levels = topic.split('/').peekable();
    let mut valid = !topic.is_empty() && fits(topic);
    while let Some(level) = levels.next() {
        valid &= match level {
            "+" => true,
            "#" => levels.peek().is_none(),
            level => !level.contains(['+', '#']),
        };
    }
    if valid { Ok(()) } else { Err(reason::TOPIC_FILTER_INVALID) }
}

fn fits(topic: &str) -> bool {
    topic.len() <= TOPIC && topic.matches('/').count() <= SLASHES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        for (topic, valid) in [
            ("a", true),
            ("/a//b", true),
            ("a/+", false),
            ("a#", false),
            ("", false),
            ("1/2/3/4/5/6/7/8", true),
            ("1/2/3/4/5/6/7/8/9", false),
            ("$aws/rules/rule/1/2/3/4/5/6/7/8", true),
            ("$aws/rules/rule/1/2/3/4/5/6/7/8/9", false),
            ("$aws/rules/rule/", false),
            ("$aws/rules/rule", false),
            ("$aws/rules/", false),
            ("$aws/rules//a", false),
            ("$aws/rules", true),
        ] {
            assert_eq!(topic_name(topic).is_ok(), valid, "{topic}");
        }
        assert!(topic_name(&"x".repeat(256)).is_ok() && topic_name(&"x".repeat(257)).is_err());
        for (rule, topic, valid) in [(256, 256, true), (257, 1, false), (1, 257, false)] {
            let topic = format!("$aws/rules/{}/{}", "r".repeat(rule), "t".repeat(topic));
            assert_eq!(topic_name(&topic).is_ok(), valid, "{topic}");
        }
    }

    #[test]
    fn filters() {
        for (filter, valid) in [
            ("a/+/b/#", true),
            ("#", true),
            ("+", true),
            ("a/#/b", false),
            ("a+", false),
            ("a/b#", false),
            ("", false),
            ("$share/group/a/+", true),
            ("$share/group", false),
            ("$share//a", false),
            ("$share/+/a", false),
        ] {
            assert_eq!(topic_filter(filter).is_ok(), valid, "{filter}");
        }
        for (group, topic, valid) in [(256, 256, true), (257, 1, false), (1, 257, false)] {
            let filter = format!("$share/{}/{}", "g".repeat(group), "t".repeat(topic));
            assert_eq!(topic_filter(&filter).is_ok(), valid, "{filter}");
        }
        assert!(topic_filter(&format!("$aws/rules/{}", "r".repeat(257))).is_err());
    }

    #[test]
    fn keep_alives() {
        assert_eq!([0, 1, 30, 60, 1200, 1201].map(keep_alive), [1200, 30, 30, 60, 1200, 1200]);
        assert_eq!(silence(30, Duration::from_secs(1)), Duration::from_secs(45));
    }
}
