use std::cell::Cell;
use std::time::Duration;

use sandbox::Sandbox;
use sandbox::relay::{Direction, Fault, Reach, Relay, Side};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Two ways to the broker, and what goes wrong on them.
pub(crate) struct Weather {
    relays: [Relay; 2],
    faults: Cell<usize>,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    Way(Reach, Fault),
    /// The broker sends DISCONNECT with this reason code.
    Disconnect(u8),
}

impl Weather {
    pub(crate) fn new(relays: [Relay; 2]) -> Self {
        Self { relays, faults: Cell::new(0) }
    }

    pub(crate) fn port(&self, way: usize) -> u16 {
        self.relays[way].port()
    }

    /// How many faults there were, each on one way or on both.
    pub(crate) fn faults(&self) -> usize {
        self.faults.get()
    }

    /// Breaks both ways every now and then, each in its own manner, for a third of the time in between. The next call
    /// goes on where this one ended. After a few faults that let nothing through it waits for something, which
    /// `arrived` counts: on a busy machine a connection may take longer than from one fault to the next.
    pub(crate) async fn rage(
        &self,
        sandbox: &Sandbox,
        clients: [&str; 2],
        every: Duration,
        arrived: impl Fn() -> u64,
    ) {
        let mut tick = interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        let (mut seen, mut in_vain) = (arrived(), 0);
        loop {
            tick.tick().await;
            if arrived() > seen {
                (seen, in_vain) = (arrived(), 0);
            } else if in_vain == IN_VAIN {
                continue;
            }
            in_vain += 1;
            let fault = self.faults.replace(self.faults.get() + 1);
            for (way, (relay, client)) in self.relays.iter().zip(clients).enumerate() {
                // All pairs of faults come up, and each on its own.
                let mishaps = mishaps();
                match mishaps[(fault + way * (1 + fault / mishaps.len())) % mishaps.len()] {
                    Mishap::Way(reach, fault) => relay.inject(reach, fault),
                    // Whether there is a connection to end depends on the fault before.
                    Mishap::Disconnect(code) => drop(sandbox.disconnect(client, code, None)),
                }
            }
            sleep(every / 3).await;
            self.calm();
        }
    }

    /// Ends what is wrong.
    pub(crate) fn calm(&self) {
        self.relays.iter().for_each(Relay::heal);
    }
}

/// How many faults in a row may let nothing through.
const IN_VAIN: usize = 10;

fn mishaps() -> [Mishap; 15] {
    use Direction::{ToClient, ToServer};
    let after = |direction| Fault::ResetAfter { direction, bytes: fastrand::usize(1..20_000) };
    [
        Mishap::Way(Reach::Live, Fault::Reset),
        Mishap::Way(Reach::All, Fault::BlackHole),
        Mishap::Way(Reach::Live, Fault::Loss(ToClient)),
        Mishap::Disconnect(0x8b),
        Mishap::Way(Reach::Live, after(ToServer)),
        Mishap::Way(Reach::Live, Fault::HalfOpen(Side::Client)),
        Mishap::Way(Reach::All, Fault::Slow { bytes_per_second: 50_000 }),
        Mishap::Way(Reach::Live, Fault::End),
        Mishap::Way(Reach::Live, after(ToClient)),
        Mishap::Way(Reach::All, Fault::Reset),
        Mishap::Way(Reach::All, Fault::Loss(ToServer)),
        Mishap::Disconnect(0x89),
        Mishap::Way(Reach::All, Fault::Chop),
        Mishap::Way(Reach::Live, Fault::HalfOpen(Side::Server)),
        Mishap::Way(Reach::New, Fault::Loss(ToClient)),
    ]
}
