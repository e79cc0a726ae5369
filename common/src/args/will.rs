use std::time::Duration;

use clap::Args;
use iot_client::{ClientOptions, Message, QoS, Will};

use super::error::{ArgsError, refuse_on_v311};
use super::topic::parse_topic;
use super::values::parse_qos;

/// What the broker publishes if this client goes without a word.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Will")]
pub struct WillArgs {
    /// The topic of the message that the broker publishes when the connection ends without a DISCONNECT.
    #[arg(long, value_name = "TOPIC", alias = "will_topic", requires = "will_message", value_parser = parse_topic)]
    pub will_topic: Option<String>,

    /// The payload of that message.
    #[arg(long, value_name = "TEXT", alias = "will_message", requires = "will_topic")]
    pub will_message: Option<String>,

    /// Its quality of service: 0 or 1. [default: 1]
    #[arg(long, value_name = "QOS", alias = "will_qos", requires = "will_topic", value_parser = parse_qos)]
    pub will_qos: Option<QoS>,

    /// Have the broker keep it for later subscribers.
    #[arg(long, alias = "will_retain", requires = "will_topic")]
    pub will_retain: bool,

    /// How many seconds the broker waits for this client to come back first (MQTT 5). [default: 0]
    #[arg(long, value_name = "SECONDS", alias = "will_delay", requires = "will_topic",
          value_parser = clap::value_parser!(u32))]
    pub will_delay: Option<u32>,
}

impl WillArgs {
    /// Sets the will, if there is one.
    ///
    /// # Errors
    ///
    /// Wrong usage: a delay with MQTT 3.1.1.
    pub fn apply(&self, options: &mut ClientOptions) -> Result<(), ArgsError> {
        refuse_on_v311(options.mqtt_version, &[("--will-delay", self.will_delay.is_some())])?;
        // clap has seen to it that both are there or none.
        if let (Some(topic), Some(payload)) = (&self.will_topic, &self.will_message) {
            let mut message = Message::new(topic, payload.as_bytes());
            message.qos = self.will_qos.unwrap_or_default();
            message.retain = self.will_retain;
            let mut will = Will::new(message);
            will.delay = Duration::from_secs(self.will_delay.unwrap_or_default().into());
            options.will = Some(will);
        }
        Ok(())
    }
}
