use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::lines::{LineError, Lines};
use crate::args::SharedGroup;
use crate::client::Message;
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
        Self { template, payloads, filter, left, interval, last: None }
    }

    /// Waits for the next one; `None` when there is none any more. Nothing is lost when the call is given up.
    ///
    /// # Errors
    ///
    /// [`LineError`]
    pub async fn next(&mut self) -> Result<Option<Message>, LineError> {
        if self.is_done() {
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
        Ok(payload.map(|payload| Message { payload, ..self.template.clone() }))
    }

    /// Whether the last one has been taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// What a session that publishes them has come to: where there is no end but Ctrl-C, or that of the input, an
    /// interruption is how it is meant to end.
    ///
    /// # Errors
    ///
    /// Any other failure of the session.
    pub fn outcome(&self, session: Result<(), Failure>) -> Result<(), Failure> {
        match session {
            Err(failure) if self.left.is_none() && failure.is_interruption() => Ok(()),
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

    #[test]
    fn an_interruption_is_the_end_of_what_has_no_other() {
        let messages = |count| Messages::numbered(Message::new("a", ""), "hi", count, Duration::ZERO);
        let interrupted = || Err(Error::Interrupted.into());
        let refused = || Err(Error::Stopped { source: None }.into());
        assert!(messages(None).outcome(interrupted()).is_ok());
        assert!(messages(Some(5)).outcome(interrupted()).unwrap_err().is_interruption());
        for count in [None, Some(5)] {
            assert!(!messages(count).outcome(refused()).unwrap_err().is_interruption());
            assert!(messages(count).outcome(Ok(())).is_ok());
        }
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
