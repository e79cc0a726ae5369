use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use iot_client::{Message, MqttVersion, QoS};

use super::error::{ArgsError, refuse_on_v311};
use super::topic::{parse_echo_topic, parse_topic};
use super::values::{parse_interval, parse_qos, parse_text};
use crate::publisher::{Messages, SharedGroup};

/// What to publish, how often, and with which properties.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub struct PublishArgs {
    /// The topic to publish to.
    #[arg(long, default_value = "test/topic", value_parser = parse_echo_topic)]
    pub topic: String,

    /// What to publish, followed by the message's number; - publishes each line of the standard input as it is, an
    /// empty one as an empty message.
    #[arg(long, default_value = "Hello from Rust")]
    pub message: Payloads,

    /// How many messages to publish at most; 0 goes on until Ctrl-C. [default: 5, with --message - every line]
    #[arg(long)]
    pub count: Option<u64>,

    /// Seconds between two messages. [default: 1, with --message - 0]
    #[arg(long, value_name = "SECONDS", value_parser = parse_interval)]
    pub interval: Option<Duration>,

    /// The quality of service: 0, sent once, or 1, sent until acknowledged.
    #[arg(long, default_value = "1", value_parser = parse_qos)]
    pub qos: QoS,

    /// Have the broker keep the last message for later subscribers.
    #[arg(long)]
    pub retain: bool,

    /// A user property (MQTT 5); may be given more than once.
    #[arg(long = "user-property", value_name = "NAME=VALUE", alias = "user_property", value_parser = parse_property)]
    pub user_properties: Vec<(String, String)>,

    /// What the payload is, mostly a MIME type (MQTT 5).
    #[arg(long, value_name = "TYPE", alias = "content_type", value_parser = parse_text)]
    pub content_type: Option<String>,

    /// The topic that an answer is to go to (MQTT 5).
    #[arg(long, value_name = "TOPIC", alias = "response_topic", value_parser = parse_topic)]
    pub response_topic: Option<String>,

    /// What an answer repeats, so that it finds its question (MQTT 5).
    #[arg(long, value_name = "TEXT", alias = "correlation_data", value_parser = parse_text)]
    pub correlation_data: Option<String>,

    /// How many seconds the broker keeps a message for subscribers that are away (MQTT 5).
    #[arg(long, value_name = "SECONDS", alias = "message_expiry", value_parser = clap::value_parser!(u32).range(1..))]
    pub message_expiry: Option<u32>,

    /// Share the subscription with the other members of this group: each message goes to one of them.
    #[arg(long, value_name = "GROUP", alias = "shared_group")]
    pub shared_group: Option<SharedGroup>,
}

/// Where payloads come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payloads {
    /// This text, numbered.
    Numbered(String),
    /// The lines of the standard input.
    StandardInput,
}

impl FromStr for Payloads {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Payloads::StandardInput,
            text => Payloads::Numbered(text.to_owned()),
        })
    }
}

impl PublishArgs {
    /// The messages, for a client of `version`. The standard input is read only when the first is asked for.
    ///
    /// # Errors
    ///
    /// Wrong usage: a property with MQTT 3.1.1.
    pub fn messages(&self, version: MqttVersion) -> Result<Messages, ArgsError> {
        let properties = [
            ("--user-property", !self.user_properties.is_empty()),
            ("--content-type", self.content_type.is_some()),
            ("--response-topic", self.response_topic.is_some()),
            ("--correlation-data", self.correlation_data.is_some()),
            ("--message-expiry", self.message_expiry.is_some()),
        ];
        refuse_on_v311(version, &properties)?;
        let mut template = Message::new(&self.topic, []);
        template.qos = self.qos;
        template.retain = self.retain;
        template.user_properties.clone_from(&self.user_properties);
        template.content_type.clone_from(&self.content_type);
        template.response_topic.clone_from(&self.response_topic);
        template.correlation_data = self.correlation_data.as_ref().map(|text| text.clone().into_bytes());
        template.expiry = self.message_expiry.map(|seconds| Duration::from_secs(seconds.into()));
        let count = |default| Some(self.count.unwrap_or(default)).filter(|count| *count > 0);
        let interval = |default| self.interval.unwrap_or(Duration::from_secs(default));
        let messages = match &self.message {
            Payloads::Numbered(text) => Messages::numbered(template, text, count(5), interval(1)),
            Payloads::StandardInput => Messages::of_standard_input(template, count(0), interval(0)),
        };
        Ok(match &self.shared_group {
            Some(group) => messages.shared_by(group),
            None => messages,
        })
    }
}

fn parse_property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((parse_text(name)?, parse_text(value)?)),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}
