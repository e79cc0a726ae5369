use std::time::Duration;

use iot_client::Message;
use tokio::time::{Instant, sleep};

use super::SharedGroup;
use super::lines::{LineError, Lines};
use crate::failure::Failure;

/// The messages that a program publishes, one after the other: a numbered text, or lines.
#[derive(Debug)]
pub struct Messages {
    template: Message,
    payloads: Payloads,
    /// What to subscribe to.
    filter: String,
    /// How many are still to come; `None` for no end.
    left: Option<u64>,
    /// No count limits the messages: Ctrl-C, or the end of the input, is the normal end of the run.
    is_unlimited: bool,
    /// The last message is through: the caller has come back for another one.
    is_finished: bool,
    interval: Duration,
    /// When the last one came.
    last: Option<Instant>,
}

#[derive(Debug)]
enum Payloads {
    Numbered { text: String, number: u64 },
    Lines(Lines),
}

impl Messages {
    /// How long a message may take to come back after its acknowledgement, while there is a connection.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// `<text> [1]`, `<text> [2]` and so on: `count` of them, or without an end; the rest of each is `template`'s.
    #[must_use]
    pub fn numbered(
        template: Message,
        text: impl Into<String>,
        count: Option<u64>,
        interval: Duration,
    ) -> Self {
        Self::new(template, Payloads::Numbered { text: text.into(), number: 0 }, count, interval)
    }

    /// A message for each line of the standard input, at most `count`. The input is read from the first call of
    /// [`next`](Self::next) on.
    #[must_use]
    pub fn of_standard_input(template: Message, count: Option<u64>, interval: Duration) -> Self {
        Self::new(template, Payloads::Lines(Lines::default()), count, interval)
    }

    /// The same, for subscribers that share them.
    #[must_use]
    pub fn shared_by(mut self, group: &SharedGroup) -> Self {
        self.filter = group.filter(&self.template.topic);
        self
    }

    fn new(template: Message, payloads: Payloads, left: Option<u64>, interval: Duration) -> Self {
        let filter = template.topic.clone();
        let is_unlimited = left.is_none();
        Self { template, payloads, filter, left, is_unlimited, is_finished: false, interval, last: None }
    }

    /// Waits for the next one; `None` when there is none any more. Nothing is lost when the call is given up.
    ///
    /// # Errors
    ///
    /// [`LineError`]
    pub async fn next(&mut self) -> Result<Option<Message>, LineError> {
        if self.is_done() {
            self.finish();
            return Ok(None);
        }
        let since = self.last.map_or(self.interval, |last| last.elapsed());
        sleep(self.interval.saturating_sub(since)).await;
        let payload = match &mut self.payloads {
            Payloads::Numbered { text, number } => {
                *number += 1;
                Some(format!("{text} [{number}]").into_bytes())
            }
            Payloads::Lines(lines) => lines.next().await?,
        };
        self.left = match (&payload, self.left) {
            (None, _) => Some(0),
            (Some(_), left) => left.map(|left| left - 1),
        };
        self.last = Some(Instant::now());
        Ok(payload.map(|payload| {
            let mut message = self.template.clone();
            message.payload = payload;
            message
        }))
    }

    /// Whether the last one has been taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Notes that the last message is through.
    pub(super) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The outcome of a session that publishes them. An interruption is a failure only if it has kept messages from
    /// being published: neither after the last one, nor where no count limits them.
    ///
    /// # Errors
    ///
    /// Any other failure of the session.
    pub fn outcome(&self, session: Result<(), Failure>) -> Result<(), Failure> {
        match session {
            Err(failure) if failure.is_interruption() && (self.is_unlimited || self.is_finished) => Ok(()),
            session => session,
        }
    }

    /// The topic filter that a client receives them with.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Whether who subscribes to the [filter](Self::filter) gets all of them.
    pub(super) fn come_back(&self) -> bool {
        self.filter == self.template.topic
    }

    /// How many may be under way at a time: a numbered one comes after the one before, but no line waits for the round
    /// trip of another.
    pub(super) fn at_once(&self, in_flight: usize) -> usize {
        match self.payloads {
            Payloads::Numbered { .. } => 1,
            Payloads::Lines(_) => in_flight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn an_interruption_is_a_failure_only_before_the_last_of_a_number_of_messages() {
        let messages = |count| Messages::numbered(Message::new("a", ""), "hi", count, Duration::ZERO);
        let interrupted = || Err(Error::Interrupted.into());
        let refused = || Err(iot_client::Error::Stopped { source: None }.into());
        assert!(messages(None).outcome(interrupted()).is_ok());
        assert!(messages(Some(5)).outcome(interrupted()).unwrap_err().is_interruption());
        for count in [None, Some(5)] {
            assert!(!messages(count).outcome(refused()).unwrap_err().is_interruption());
            assert!(messages(count).outcome(Ok(())).is_ok());
        }
        let mut one = messages(Some(1));
        assert!(one.next().await.unwrap().is_some());
        assert!(one.outcome(interrupted()).is_err(), "the last message is under way");
        assert!(one.next().await.unwrap().is_none());
        assert!(one.outcome(interrupted()).is_ok());
        assert!(one.outcome(refused()).is_err());
    }

    #[tokio::test]
    async fn numbered_messages_keep_their_interval_and_their_count() {
        let interval = Duration::from_millis(20);
        let mut messages = Messages::numbered(Message::new("a", ""), "hi", Some(3), interval);
        let began = Instant::now();
        for number in 1..=3 {
            if number > 1 {
                // A call that is given up loses nothing.
                tokio::select! { biased; _ = messages.next() => panic!("too early"), () = async {} => {} }
            }
            let message = messages.next().await.unwrap().unwrap();
            assert_eq!(message.payload, format!("hi [{number}]").into_bytes());
            assert!(began.elapsed() >= interval * (number - 1));
        }
        assert!(messages.is_done() && messages.next().await.unwrap().is_none());
    }
}
