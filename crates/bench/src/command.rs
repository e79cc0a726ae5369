use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};

/// What a peer is told on stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Connect and disconnect so many times.
    Connect(usize),
    /// Publish to a topic that one is subscribed to, so many times, one after the other.
    RoundTrips(Qos, usize),
    /// Publish at QoS 1.
    Publish {
        /// How many may be unacknowledged.
        window: usize,
        /// How many in all.
        messages: usize,
    },
    /// Lose the broker and find it again, with so many clients.
    Outlive(Backoff, usize),
}

/// Quality of service of the round trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
}

/// How a client spaces its attempts to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// As it does unless told otherwise.
    Default,
    /// Full jitter below [`Backoff::EQUAL`], every time, and no other pause: the same for all.
    Equal,
}

impl Backoff {
    /// The ceiling of an equal delay.
    pub const EQUAL: Duration = Duration::from_secs(1);
}

impl FromStr for Command {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |word: &str| word.parse().with_context(|| format!("no number: {word}"));
        Ok(match words[..] {
            ["connect", count] => Command::Connect(number(count)?),
            ["round-trips", "0", count] => Command::RoundTrips(Qos::AtMostOnce, number(count)?),
            ["round-trips", "1", count] => Command::RoundTrips(Qos::AtLeastOnce, number(count)?),
            ["publish", window, messages] => {
                Command::Publish { window: number(window)?, messages: number(messages)? }
            }
            ["outlive", "default", clients] => Command::Outlive(Backoff::Default, number(clients)?),
            ["outlive", "equal", clients] => Command::Outlive(Backoff::Equal, number(clients)?),
            _ => bail!("no such command: {line}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read() {
        let publish = Command::Publish { window: 100, messages: 5 };
        for (line, command) in [
            ("connect 20", Command::Connect(20)),
            ("round-trips 0 7", Command::RoundTrips(Qos::AtMostOnce, 7)),
            ("round-trips 1 7\n", Command::RoundTrips(Qos::AtLeastOnce, 7)),
            ("publish 100 5", publish),
            ("outlive default 3", Command::Outlive(Backoff::Default, 3)),
            ("outlive equal 3", Command::Outlive(Backoff::Equal, 3)),
        ] {
            assert_eq!(line.parse::<Command>().unwrap(), command, "{line}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for line in
            ["", "connect", "connect x", "round-trips 2 7", "publish 100", "outlive never 3", "quit 1"]
        {
            assert!(line.parse::<Command>().is_err(), "{line}");
        }
    }
}
