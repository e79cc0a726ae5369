use std::convert::Infallible;
use std::future::pending;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use iot_client::{Client, Status};
use terminal_size::{Width, terminal_size};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// A line that says, once a second, how far a long run is: on a terminal that shows nothing else, since stdout goes
/// elsewhere. It is rewritten in place, and gone in the end.
#[derive(Debug)]
pub struct Progress<W: Write> {
    /// `None` where no line is wanted.
    writer: Option<W>,
    ticks: Interval,
    /// When the last line was written, and how many messages were published by then.
    last: Option<(Instant, u64)>,
}

impl<W: Write + IsTerminal> Progress<W> {
    /// Writes to `writer` if it is a terminal and stdout is none.
    pub fn new(writer: W) -> Self {
        let is_wanted = writer.is_terminal() && !io::stdout().is_terminal();
        let mut ticks = interval_at(Instant::now() + PERIOD, PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { writer: is_wanted.then_some(writer), ticks, last: None }
    }
}

impl<W: Write> Progress<W> {
    /// Does `work`, and shows meanwhile where the client stands.
    pub async fn during<T>(mut self, client: &Client, work: impl Future<Output = T>) -> T {
        tokio::select! {
            outcome = work => outcome,
            never = self.show(client) => match never {},
        }
    }

    async fn show(&mut self, client: &Client) -> Infallible {
        loop {
            self.tick(client).await;
        }
    }

    /// Waits until it is time, and writes the line; waits for ever where none is wanted.
    async fn tick(&mut self, client: &Client) {
        let Some(writer) = &mut self.writer else { return pending().await };
        let now = self.ticks.tick().await;
        let status = client.status();
        let rate = self.last.map_or(0.0, |(then, published)| {
            // A client counts up only.
            status.published.saturating_sub(published) as f64 / (now - then).as_secs_f64()
        });
        let columns = terminal_size().map_or(80, |(Width(columns), _)| columns);
        let line: String = line(&status, rate).chars().take(columns.saturating_sub(1).into()).collect();
        // The cursor stays at the left, so that a line of the log takes the place of this one.
        if write!(writer, "{ERASE}{line}\r").and_then(|()| writer.flush()).is_err() {
            self.writer = None;
        }
        self.last = Some((now, status.published));
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let (Some(writer), Some(_)) = (&mut self.writer, self.last) {
            // A terminal that is gone needs no tidying.
            let _ = write!(writer, "{ERASE}").and_then(|()| writer.flush());
        }
    }
}

const PERIOD: Duration = Duration::from_secs(1);

/// Erase to the end of the line (ECMA-48 EL).
const ERASE: &str = "\r\x1b[K";

fn line(status: &Status, rate: f64) -> String {
    let reconnects = status.connections.saturating_sub(1);
    let connection = if status.connected { "" } else { ", no connection" };
    format!(
        "{} published ({rate:.0}/s), {} in flight, {} queued, {} received, {reconnects} reconnects{connection}",
        status.published, status.in_flight, status.queued, status.received
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_it_all() {
        let status = Status {
            connections: 3,
            queued: 4,
            in_flight: 5,
            published: 600,
            received: 7,
            ..Status::default()
        };
        assert_eq!(
            line(&status, 99.6),
            "600 published (100/s), 5 in flight, 4 queued, 7 received, 2 reconnects, no connection"
        );
    }
}
