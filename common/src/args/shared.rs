use std::time::Duration;

use clap::Args;
use iot_client::Message;

use super::topic::parse_echo_topic;
use super::values::parse_interval;
use crate::publisher::{Messages, SharedGroup};

/// What to publish for a group of subscribers that share it, and how often.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub struct SharedArgs {
    /// The topic to publish to.
    #[arg(long, default_value = "test/topic", value_parser = parse_echo_topic)]
    pub topic: String,

    /// What to publish, followed by the message's number.
    #[arg(long, default_value = "Hello from Rust")]
    pub message: String,

    /// How many messages to publish; 0 goes on until Ctrl-C.
    #[arg(long, default_value_t = 10)]
    pub count: u64,

    /// Seconds between two messages.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_interval)]
    pub interval: Duration,

    /// The group that the subscribers are members of.
    #[arg(long, value_name = "GROUP", default_value = "rust-sample",
          aliases = ["group_identifier", "shared-group", "shared_group"])]
    pub group_identifier: SharedGroup,
}

impl SharedArgs {
    /// The messages. Their [filter](Messages::filter) is `$share/<group>/<topic>`.
    #[must_use]
    pub fn messages(&self) -> Messages {
        let count = Some(self.count).filter(|count| *count > 0);
        Messages::numbered(Message::new(&self.topic, []), &self.message, count, self.interval)
            .shared_by(&self.group_identifier)
    }
}
