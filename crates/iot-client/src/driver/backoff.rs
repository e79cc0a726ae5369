use std::time::Duration;

/// Exponential back-off with full jitter
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Debug)]
pub(crate) struct Backoff {
    minimum: Duration,
    maximum: Duration,
    failures: u32,
}

impl Backoff {
    /// The time that a connection must have lasted before the next failure counts as the first one again. Without
    /// this a broker that accepts and drops at once would be hammered.
    pub(crate) const STABLE_AFTER: Duration = Duration::from_secs(30);

    pub(crate) fn new(minimum: Duration, maximum: Duration) -> Self {
        // A ceiling of nothing would be a busy loop.
        let minimum = minimum.max(Duration::from_millis(1));
        Self { minimum, maximum: maximum.max(minimum), failures: 0 }
    }

    /// The wait before the next attempt: evenly spread between nothing and a ceiling that doubles with
    /// each call.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(fastrand::f64())
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    fn ceiling(&self) -> Duration {
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.minimum.saturating_mul(factor).min(self.maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceiling_doubles_up_to_the_maximum_and_starts_over_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120));
        let mut ceilings = Vec::new();
        for _ in 0..100 {
            ceilings.push(backoff.ceiling().as_secs());
            assert!(backoff.next_delay() <= Duration::from_secs(120));
        }
        assert_eq!(ceilings[..9], [1, 2, 4, 8, 16, 32, 64, 120, 120]);
        assert_eq!(ceilings[99], 120);
        backoff.reset();
        assert_eq!(backoff.ceiling(), Duration::from_secs(1));
    }

    #[test]
    fn delays_fill_the_whole_range() {
        let mut low = false;
        let mut high = false;
        for _ in 0..1000 {
            let delay = Backoff::new(Duration::from_secs(1), Duration::from_secs(120)).next_delay();
            low |= delay < Duration::from_millis(200);
            high |= delay > Duration::from_millis(800);
        }
        assert!(low && high);
    }
}
