use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Quotas;

/// Keeps publishing within the quotas of a second: in no second whatsoever there is more than they say, so that it does
/// not matter when the broker begins to count.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    publishes: usize,
    bytes: usize,
    /// The last second's publishes, oldest first.
    sent: VecDeque<(Instant, usize)>,
    sent_bytes: usize,
}

impl RateLimiter {
    const SECOND: Duration = Duration::from_secs(1);

    pub(crate) fn new(quotas: &Quotas) -> Self {
        let limit =
            |limit: Option<u32>| limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        Self {
            publishes: limit(quotas.publishes_per_second).max(1),
            bytes: limit(quotas.bytes_per_second),
            sent: VecDeque::new(),
            sent_bytes: 0,
        }
    }

    /// Counts a message of so many bytes, if it may be sent now.
    ///
    /// # Errors
    ///
    /// The moment to ask again. A message that is larger than a whole second's bytes waits for a second without any
    /// other.
    pub(crate) fn try_acquire(&mut self, now: Instant, bytes: usize) -> Result<(), Instant> {
        if self.publishes == usize::MAX && self.bytes == usize::MAX {
            return Ok(());
        }
        while let Some(&(at, bytes)) = self.sent.front()
            && now.duration_since(at) >= Self::SECOND
        {
            self.sent.pop_front();
            self.sent_bytes -= bytes;
        }
        let full = self.sent.len() >= self.publishes || self.sent_bytes.saturating_add(bytes) > self.bytes;
        if let (true, Some(&(oldest, _))) = (full, self.sent.front()) {
            return Err(oldest + Self::SECOND);
        }
        self.sent.push_back((now, bytes));
        self.sent_bytes += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(publishes: Option<u32>, bytes: Option<u32>) -> RateLimiter {
        let mut quotas = Quotas::none();
        quotas.publishes_per_second = publishes;
        quotas.bytes_per_second = bytes;
        RateLimiter::new(&quotas)
    }

    /// The moments at which `count` messages may be sent, if all wait from the start.
    fn send_times(limiter: &mut RateLimiter, count: usize, bytes: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut now = start;
        let mut times = Vec::new();
        while times.len() < count {
            match limiter.try_acquire(now, bytes) {
                Ok(()) => times.push(now - start),
                Err(then) => {
                    assert!(then > now);
                    now = then;
                }
            }
        }
        times
    }

    #[test]
    fn no_second_holds_more_messages_than_allowed() {
        let times = send_times(&mut limiter(Some(100), None), 1000, 1);
        for (early, late) in times.iter().zip(&times[100..]) {
            assert!(*late - *early >= RateLimiter::SECOND);
        }
        assert_eq!(times[99], Duration::ZERO, "a burst need not wait");
        assert_eq!(times[999], 9 * RateLimiter::SECOND, "and no time is wasted");
    }

    #[test]
    fn no_second_holds_more_bytes_than_allowed() {
        let times = send_times(&mut limiter(None, Some(1000)), 10, 400);
        assert_eq!(times[1], Duration::ZERO);
        assert_eq!(times[2], RateLimiter::SECOND);
        assert_eq!(times[9], 4 * RateLimiter::SECOND);
    }

    #[test]
    fn a_message_larger_than_the_quota_goes_by_itself() {
        assert_eq!(send_times(&mut limiter(None, Some(10)), 3, 25)[2], 2 * RateLimiter::SECOND);
    }

    #[test]
    fn without_quotas_nothing_waits_and_nothing_is_kept() {
        let mut limiter = limiter(None, None);
        assert_eq!(send_times(&mut limiter, 10_000, 1000)[9_999], Duration::ZERO);
        assert!(limiter.sent.is_empty());
    }
}
