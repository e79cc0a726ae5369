use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{LineError, Lines, Pace};
use crate::client::Message;

/// The messages that a program publishes, one after the other: a numbered text, or lines.
#[derive(Debug)]
pub struct Messages {
    template: Message,
    payloads: Payloads,
    /// How many are still to come; `None` for no end.
    left: Option<u64>,
    interval: Duration,
    /// When the next one may come.
    due: Instant,
}

#[derive(Debug)]
enum Payloads {
    Numbered { text: String, number: u64 },
    Lines(Lines),
}

impl Messages {
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

    /// A message for each of the lines, at most `count`.
    #[must_use]
    pub fn lines(template: Message, lines: Lines, count: Option<u64>, interval: Duration) -> Self {
        Self::new(template, Payloads::Lines(lines), count, interval)
    }

    fn new(template: Message, payloads: Payloads, left: Option<u64>, interval: Duration) -> Self {
        Self { template, payloads, left, interval, due: Instant::now() }
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
        sleep_until(self.due).await;
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
        self.due = Instant::now() + self.interval;
        Ok(payload.map(|payload| Message { payload, ..self.template.clone() }))
    }

    /// Whether the last one has been taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether there is no end but Ctrl-C or that of the input.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.left.is_none()
    }

    /// The topic of each of them.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.template.topic
    }

    /// How many may be under way at a time.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self.payloads {
            Payloads::Numbered { .. } => Pace::OneByOne,
            Payloads::Lines(_) => Pace::Together,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
