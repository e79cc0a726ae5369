use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use iot_client::{ClientOptions, Quotas, SessionPolicy, WhenFull};

use super::error::{ArgsError, refuse_on_v311, usage};
use super::values::parse_seconds;
use super::will::WillArgs;

/// What outlives a connection: the broker's session, and messages that wait to be published.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Session and queue")]
pub struct SessionArgs {
    /// Which session to ask the broker for: none that outlives a connection, the one that an earlier run with this
    /// --client-id has left, or one for this run with all its reconnects.
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "resume-after-first",
        requires_if("resume", "client_id")
    )]
    pub session: SessionName,

    /// How many seconds the broker keeps the session of a connection that was lost (MQTT 5). [default: 3600]
    #[arg(long, value_name = "SECONDS", alias = "session_expiry", value_parser = clap::value_parser!(u32).range(1..))]
    pub session_expiry: Option<u32>,

    /// A directory that keeps QoS 1 messages until they are acknowledged, so that the next run with this --client-id
    /// publishes what this one did not get to.
    #[arg(long, value_name = "DIR", requires = "client_id")]
    pub persist: Option<PathBuf>,

    /// How many messages may wait to be published while there is no connection. [default: 10000]
    #[arg(long, value_name = "N", alias = "queue_messages", value_parser = parse_limit)]
    pub queue_messages: Option<usize>,

    /// How many bytes of payloads and topics may wait. [default: 16777216]
    #[arg(long, value_name = "N", alias = "queue_bytes", value_parser = parse_limit)]
    pub queue_bytes: Option<usize>,

    /// What to do when no more may wait: take no new message until there is room, or give up the oldest.
    #[arg(long, value_name = "POLICY", alias = "when_full", default_value = "refuse-new")]
    pub when_full: WhenFullName,

    /// Publish as fast as the broker takes it, without AWS IoT Core's quotas.
    #[arg(long, alias = "no_flow_control")]
    pub no_flow_control: bool,

    /// How many topics to send as a number after the first time (MQTT 5); AWS IoT Core takes 8.
    #[arg(long, value_name = "N", alias = "topic_aliases", default_value_t = 0)]
    pub topic_aliases: u16,

    /// How many seconds to wait until a subscription is acknowledged, reconnects included. Messages have no such limit.
    #[arg(long, value_name = "SECONDS", alias = "operation_timeout", default_value = "60",
          value_parser = parse_seconds)]
    pub operation_timeout: Duration,

    /// How many seconds to wait for acknowledgements before the disconnect.
    #[arg(long, value_name = "SECONDS", alias = "shutdown_timeout", default_value = "5",
          value_parser = parse_seconds)]
    pub shutdown_timeout: Duration,

    /// What the broker says when this client does not come back.
    #[command(flatten)]
    pub will: WillArgs,
}

/// The names of [`SessionPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum SessionName {
    Clean,
    Resume,
    ResumeAfterFirst,
}

/// The names of [`WhenFull`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum WhenFullName {
    RefuseNew,
    DropOldest,
}

impl SessionArgs {
    /// Sets what the flags say.
    ///
    /// # Errors
    ///
    /// Wrong usage: a flag that needs MQTT 5 with 3.1.1, or one that means nothing with the others.
    pub fn apply(&self, options: &mut ClientOptions) -> Result<(), ArgsError> {
        let only_5 = [
            ("--session-expiry", self.session_expiry.is_some()),
            ("--topic-aliases", self.topic_aliases > 0),
        ];
        refuse_on_v311(options.mqtt_version, &only_5)?;
        if self.session == SessionName::Clean && self.session_expiry.is_some() {
            return Err(usage(
                "--session-expiry has no meaning with --session clean, which resumes no session",
            )
            .into());
        }
        options.session = match self.session {
            SessionName::Clean => SessionPolicy::Clean,
            SessionName::Resume => SessionPolicy::Resume,
            SessionName::ResumeAfterFirst => SessionPolicy::ResumeAfterFirst,
        };
        if let Some(seconds) = self.session_expiry {
            options.session_expiry = Duration::from_secs(seconds.into());
        }
        options.persistence.clone_from(&self.persist);
        options.queue.messages = self.queue_messages.unwrap_or(options.queue.messages);
        options.queue.bytes = self.queue_bytes.unwrap_or(options.queue.bytes);
        options.queue.when_full = match self.when_full {
            WhenFullName::RefuseNew => WhenFull::RefuseNew,
            WhenFullName::DropOldest => WhenFull::DropOldest,
        };
        if self.no_flow_control {
            options.quotas = Quotas::none();
        }
        options.topic_aliases = self.topic_aliases;
        options.operation_timeout = self.operation_timeout;
        options.shutdown_timeout = self.shutdown_timeout;
        self.will.apply(options)
    }
}

/// How much may wait: nothing at all would be no queue.
fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number above 0".to_owned()),
        Ok(limit) => Ok(limit),
    }
}
