//! The topics of flags.

use super::values::parse_text;

/// A topic name to publish to (MQTT 5.0 §4.7.1), of those that AWS IoT Core lets clients have
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/reserved-topics.html>).
pub(super) fn parse_topic(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a topic cannot be empty".to_owned()),
        _ if text.contains(['+', '#']) => Err("a topic to publish to holds no wildcard".to_owned()),
        _ if text.starts_with("$share/") => Err(match text.splitn(3, '/').nth(2) {
            Some(topic) if !topic.is_empty() => {
                format!("that is the filter of a shared subscription; the topic to publish to is {topic}")
            }
            _ => "that is the begin of a shared subscription's filter, and no topic".to_owned(),
        }),
        _ if text.starts_with('$') && !text.starts_with("$aws/") => {
            Err("AWS IoT Core reserves the topics that begin with $, and has those of $aws/ only".to_owned())
        }
        _ => parse_text(text),
    }
}

/// A topic name to publish to and to subscribe to.
///
/// # Errors
///
/// The reason for a refusal.
pub fn parse_echo_topic(text: &str) -> Result<String, String> {
    if text.starts_with("$aws/rules/") {
        // https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html
        return Err(
            "a topic of Basic Ingest ($aws/rules/) cannot be subscribed to, as is done here".to_owned()
        );
    }
    parse_topic(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_nobody_can_publish_to_is_refused() {
        for (topic, words) in [
            ("", "empty"),
            ("a/+", "wildcard"),
            ("#", "wildcard"),
            ("$share/g/x/y", "the topic to publish to is x/y"),
            ("$share/g/", "no topic"),
            ("$share/g", "no topic"),
            ("$SYS/x", "reserves the topics that begin with $"),
            ("$awsome", "reserves the topics that begin with $"),
        ] {
            let error = parse_topic(topic).unwrap_err();
            assert!(error.contains(words), "{topic}: {error}");
            assert_eq!(parse_echo_topic(topic), Err(error));
        }
        for topic in ["a", "/", "a/$share/b", "$aws/things/t/shadow/update"] {
            assert_eq!(parse_topic(topic).as_deref(), Ok(topic));
            assert_eq!(parse_echo_topic(topic).as_deref(), Ok(topic));
        }
    }

    #[test]
    fn a_topic_of_basic_ingest_is_published_to_and_not_subscribed_to() {
        assert_eq!(parse_topic("$aws/rules/r/t").as_deref(), Ok("$aws/rules/r/t"));
        assert!(parse_echo_topic("$aws/rules/r/t").unwrap_err().contains("Basic Ingest"));
    }
}
