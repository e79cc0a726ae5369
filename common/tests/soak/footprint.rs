use std::fmt;
use std::fs;
use std::time::Duration;

use tokio::time::interval;

/// What the process holds: both clients, the relays and the broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Footprint {
    /// Resident memory in KiB.
    memory: usize,
    descriptors: usize,
    threads: usize,
}

impl Footprint {
    /// In KiB: what allocators keep of the longest queue so far, which comes with the longest outage, and the store's cache
    /// of 4 MiB. 100 bytes a message, over four fifths of 100,000, would be a quarter more.
    const MEMORY: usize = 6 * 1024;
    /// In bytes: what a message may cost in a run that is longer.
    const MESSAGE: usize = 10;
    /// Less than a leak of one for every fourth fault.
    const HANDLES: usize = 4;

    /// The lowest of a second: threads and connections end a little after their work.
    pub(crate) async fn lowest() -> Self {
        let mut tick = interval(Duration::from_millis(20));
        let mut lowest = Self::now();
        for _ in 0..50 {
            tick.tick().await;
            let now = Self::now();
            lowest.memory = lowest.memory.min(now.memory);
            lowest.descriptors = lowest.descriptors.min(now.descriptors);
            lowest.threads = lowest.threads.min(now.threads);
        }
        lowest
    }

    fn now() -> Self {
        let count = |directory| fs::read_dir(directory).unwrap().count();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let memory = line.trim().trim_end_matches(" kB").parse().expect("a number");
        Self { memory, descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") }
    }

    pub(crate) fn assert_flat(&self, later: &Self, messages: usize) {
        let tolerance = Self::MEMORY.max(messages * Self::MESSAGE / 1024);
        assert!(later.memory <= self.memory + tolerance, "memory: {self}, then {later}");
        assert!(later.descriptors <= self.descriptors + Self::HANDLES, "descriptors: {self}, then {later}");
        assert!(later.threads <= self.threads + Self::HANDLES, "threads: {self}, then {later}");
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB, {} descriptors, {} threads", self.memory, self.descriptors, self.threads)
    }
}
