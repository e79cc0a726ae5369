//! Finds out whether the broker is still there, and lets it know that the client is.
//!
//! The link sends the PINGREQs of a connection, not paho, which sees only a part of what is sent and received. And paho
//! notices a dead broker after two and a half times the keep-alive, which is longer than most applications wait for an
//! acknowledgement.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    requested: Duration,
    state: Mutex<State>,
    connected: Notify,
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a PINGREQ.
    Ping,
    /// Give the connection up: nothing has come for this long after a PINGREQ.
    Silence(Duration),
}

impl KeepAlive {
    /// Timers for a connection that asks for `keep_alive`, of which paho knows whole seconds and no zero.
    pub(crate) fn new(keep_alive: Duration) -> Self {
        let requested = keep_alive.max(Duration::from_secs(1));
        Self { requested, state: Mutex::new(State::new(Instant::now())), connected: Notify::new() }
    }

    /// The broker has accepted the connection, with a keep-alive of its own if `by_broker` says so. A longer one only
    /// changes when the broker misses us; a client may ping more often (MQTT 5.0 §3.1.2.10).
    pub(crate) fn begin(&self, by_broker: Option<Duration>) {
        let interval = by_broker.filter(|interval| !interval.is_zero()).unwrap_or(self.requested);
        let interval = interval.min(self.requested);
        self.state().interval = Some(interval);
        self.connected.notify_one();
        let set = match by_broker {
            Some(set) if set != self.requested => format!(" (the broker counts with {} s)", set.as_secs()),
            _ => String::new(),
        };
        let noticed = (interval + ping_timeout(interval)).as_secs_f32();
        let interval = interval.as_secs();
        log::info!("keep-alive {interval} s{set}: a dead network is noticed within {noticed} s");
    }

    /// Bytes have been written to the broker.
    pub(crate) fn sent(&self, bytes: usize) {
        self.state().sent(Instant::now(), bytes);
    }

    /// A packet that the broker has to answer has been written.
    pub(crate) fn asked(&self) {
        self.state().asked(Instant::now());
    }

    /// A PINGREQ is about to be written.
    pub(crate) fn pinged(&self) {
        self.state().pinged(Instant::now());
    }

    /// Bytes have come from the broker.
    pub(crate) fn received(&self) {
        self.state().received(Instant::now());
    }

    /// The answer to a request has come.
    pub(crate) fn answered(&self) {
        self.state().answered();
    }

    /// A PINGRESP has come.
    pub(crate) fn ponged(&self) {
        self.state().ponged();
    }

    /// The link stops reading.
    pub(crate) fn pause(&self) {
        self.state().paused = true;
    }

    /// The link reads again.
    pub(crate) fn resume(&self) {
        self.state().resume(Instant::now());
    }

    /// The longest time in which the broker may take no byte.
    pub(crate) fn write_timeout(&self) -> Duration {
        ping_timeout(self.requested)
    }

    /// Resolves when something is to be done. Events meanwhile only put it off, save for a request, which the caller of
    /// this itself sends.
    pub(crate) async fn due(&self) -> Due {
        loop {
            let next = self.state().next();
            match next {
                Some((at, due)) if at <= Instant::now() => return due,
                Some((at, _)) => sleep_until(at).await,
                None => self.connected.notified().await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that panics runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events of a connection so far.
#[derive(Debug)]
struct State {
    /// The longest time without a packet in either direction; `None` before the CONNACK.
    interval: Option<Duration>,
    /// While the link does not read, silence is its own doing.
    paused: bool,
    sent: Instant,
    received: Instant,
    /// The moment of the first request since the last bytes from the broker.
    asked: Option<Instant>,
    /// The moment of a PINGREQ since which no bytes have come, and the time that it may take to get through.
    pinged: Option<(Instant, Duration)>,
    /// Bytes sent on this connection, and how many of them have arrived as far as answers tell.
    written: u64,
    arrived: u64,
    /// Bytes sent before the last PINGREQ, of whose arrival the next PINGRESP tells.
    before_ping: u64,
    /// Requests without an answer.
    unanswered: usize,
    /// Bytes sent before a request, and how many answers it takes until its own must be among them.
    before_request: Option<(u64, usize)>,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            interval: None,
            paused: false,
            sent: now,
            received: now,
            asked: None,
            pinged: None,
            written: 0,
            arrived: 0,
            before_ping: 0,
            unanswered: 0,
            before_request: None,
        }
    }

    fn sent(&mut self, now: Instant, bytes: usize) {
        self.sent = now;
        self.written += bytes as u64;
    }

    fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
        self.unanswered += 1;
        self.before_request.get_or_insert((self.written, self.unanswered));
    }

    fn pinged(&mut self, now: Instant) {
        let queue = Duration::from_secs((self.written - self.arrived) / SLOWEST);
        self.pinged = Some((now, queue.min(LONGEST_QUEUE)));
        self.before_ping = self.written;
    }

    fn received(&mut self, now: Instant) {
        self.received = now;
        self.asked = None;
        self.pinged = None;
    }

    fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.before_request = match self.before_request {
            Some((written, 1)) => {
                self.arrived = self.arrived.max(written);
                None
            }
            other => other.map(|(written, answers)| (written, answers - 1)),
        };
    }

    /// If two PINGREQs are under way, the first answer is taken for the second's, and an allowance is too small for
    /// once.
    fn ponged(&mut self) {
        self.arrived = self.arrived.max(self.before_ping);
    }

    /// The bytes that have waited may be the answer to a PINGREQ.
    fn resume(&mut self, now: Instant) {
        self.paused = false;
        self.received(now);
    }

    /// The next thing to do, and its moment; `None` before the CONNACK.
    fn next(&self) -> Option<(Instant, Due)> {
        let interval = self.interval?;
        let unheard = self.sent + interval;
        if self.paused {
            return Some((unheard, Due::Ping));
        }
        let timeout = ping_timeout(interval);
        if let Some((pinged, queue)) = self.pinged {
            return Some((pinged + timeout + queue, Due::Silence(timeout + queue)));
        }
        // A broker may take its time over a request; a PINGREQ tells that from a network that is gone.
        let unanswered = self.asked.map(|asked| asked + timeout / 2);
        let quiet = unheard.min(self.received + interval);
        Some((unanswered.map_or(quiet, |unanswered| unanswered.min(quiet)), Due::Ping))
    }
}

/// The longest wait for the answer to a PINGREQ where one is sent every `interval`.
fn ping_timeout(interval: Duration) -> Duration {
    LONGEST_PING_TIMEOUT.min(interval / 2)
}

/// The longest of all waits for the answer to a PINGREQ. An answer takes a round trip, 1 s over a satellite, and the official
/// clients' 30 s leave an application in the dark for longer than its own timeouts.
const LONGEST_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes that an uplink carries in a second at the least: 64 kbit/s. A PINGREQ waits behind what was sent before it,
/// and a slow link is not a dead one.
const SLOWEST: u64 = 8 * 1024;

/// The longest allowance for what a PINGREQ waits behind.
const LONGEST_QUEUE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// The state of a connection, and a clock in seconds.
    struct Run {
        state: State,
        began: Instant,
    }

    impl Run {
        fn with(interval: u64) -> Self {
            let began = Instant::now();
            let state = State { interval: Some(Duration::from_secs(interval)), ..State::new(began) };
            Self { state, began }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.began + Duration::from_secs(seconds)
        }

        /// The next thing to do, and its second.
        fn next(&self) -> (u64, Due) {
            let (at, due) = self.state.next().expect("the connection stands");
            ((at - self.began).as_secs(), due)
        }
    }

    fn silence(seconds: u64) -> Due {
        Due::Silence(Duration::from_secs(seconds))
    }

    #[test]
    fn nothing_is_due_before_the_connack() {
        assert_eq!(State::new(Instant::now()).next(), None);
    }

    #[test]
    fn an_idle_connection_is_found_dead_after_keep_alive_and_ping_timeout() {
        let mut run = Run::with(30);
        assert_eq!(run.next(), (30, Due::Ping));
        // Neither what is sent nor what is received alone puts the ping off.
        run.state.sent(run.at(20), 10);
        assert_eq!(run.next(), (30, Due::Ping));
        run.state.received(run.at(25));
        assert_eq!(run.next(), (50, Due::Ping));
        run.state.pinged(run.at(50));
        run.state.sent(run.at(50), 2);
        assert_eq!(run.next(), (60, silence(10)));
        run.state.received(run.at(51));
        assert_eq!(run.next(), (80, Due::Ping));
    }

    #[test]
    fn an_unanswered_request_brings_the_ping_forward() {
        let mut run = Run::with(30);
        run.state.asked(run.at(2));
        run.state.asked(run.at(4));
        assert_eq!(run.next(), (7, Due::Ping), "the first counts");
        run.state.pinged(run.at(7));
        assert_eq!(run.next(), (17, silence(10)));
        // A broker that is slow but there.
        run.state.sent(run.at(7), 2);
        run.state.received(run.at(8));
        assert_eq!(run.next(), (37, Due::Ping));
    }

    #[test]
    fn a_slow_link_is_given_time_for_what_is_under_way() {
        let second = SLOWEST as usize;
        let mut run = Run::with(30);
        run.state.sent(run.at(0), 20 * second);
        run.state.pinged(run.at(0));
        run.state.sent(run.at(0), 2);
        assert_eq!(run.next(), (30, silence(30)));
        run.state.received(run.at(20));
        run.state.ponged();
        // That arrived, and only this waits now.
        run.state.sent(run.at(20), second);
        run.state.pinged(run.at(20));
        assert_eq!(run.next(), (31, silence(11)));
        run.state.sent(run.at(20), 1000 * second);
        run.state.pinged(run.at(20));
        assert_eq!(run.next(), (60, silence(40)), "not for ever");
    }

    #[test]
    fn answers_tell_what_is_no_longer_under_way() {
        let mut run = Run::with(30);
        let allowance = |run: &mut Run| {
            run.state.pinged(run.at(0));
            run.next().0 - 10
        };
        for _ in 0..3 {
            run.state.asked(run.at(0));
            run.state.sent(run.at(0), SLOWEST as usize);
        }
        assert_eq!(allowance(&mut run), 3);
        // The bytes before the first request have arrived: none.
        run.state.answered();
        assert_eq!(allowance(&mut run), 3);
        // The answer to this one is the third from here.
        run.state.asked(run.at(0));
        run.state.answered();
        run.state.answered();
        assert_eq!(allowance(&mut run), 3);
        run.state.answered();
        assert_eq!(allowance(&mut run), 0);
        // One that nobody asked for is none.
        run.state.answered();
        assert_eq!(run.state.unanswered, 0);
    }

    #[test]
    fn while_nothing_is_read_the_broker_is_pinged_and_not_judged() {
        let mut run = Run::with(30);
        run.state.pinged(run.at(0));
        run.state.sent(run.at(0), 2);
        run.state.paused = true;
        assert_eq!(run.next(), (30, Due::Ping));
        run.state.resume(run.at(100));
        run.state.sent(run.at(100), 2);
        assert_eq!(run.next(), (130, Due::Ping));
    }

    #[test]
    fn the_shorter_keep_alive_counts() {
        for (asked, by_broker, interval) in
            [(60, Some(30), 30), (30, Some(60), 30), (30, Some(0), 30), (30, None, 30), (0, None, 1)]
        {
            let keep_alive = KeepAlive::new(Duration::from_secs(asked));
            keep_alive.begin(by_broker.map(Duration::from_secs));
            assert_eq!(keep_alive.state().interval, Some(Duration::from_secs(interval)));
        }
        let mut short = Run::with(4);
        short.state.pinged(short.at(0));
        assert_eq!(short.next(), (2, silence(2)));
    }
}
