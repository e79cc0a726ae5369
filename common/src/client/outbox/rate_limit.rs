use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::client::Quotas;

/// Keeps publishing within the quotas of a second: in no second whatsoever there is more than they say, so that it does
/// not matter when the broker begins to count.
#[derive(Debug)]
pub(crate) struct Pace {
    publishes: usize,
    bytes: usize,
    /// The last second's publishes, oldest first.
    sent: VecDeque<(Instant, usize)>,
    sent_bytes: usize,
}

impl Pace {
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

    /// Takes a turn for a message of so many bytes.
    ///
    /// # Errors
    ///
    /// When to ask again. A message that is larger than a whole second's bytes waits for a second that holds no other.
    pub(crate) fn take(&mut self, now: Instant, bytes: usize) -> Result<(), Instant> {
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

    fn pace(publishes: Option<u32>, bytes: Option<u32>) -> Pace {
        let mut quotas = Quotas::none();
        quotas.publishes_per_second = publishes;
        quotas.bytes_per_second = bytes;
        Pace::new(&quotas)
    }

    /// When each of `count` messages gets its turn, if all wait from the start.
    fn turns(pace: &mut Pace, count: usize, bytes: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut now = start;
        let mut turns = Vec::new();
        while turns.len() < count {
            match pace.take(now, bytes) {
                Ok(()) => turns.push(now - start),
                Err(then) => {
                    assert!(then > now);
                    now = then;
                }
            }
        }
        turns
    }

    #[test]
    fn no_second_holds_more_messages_than_allowed() {
        let turns = turns(&mut pace(Some(100), None), 1000, 1);
        for (early, late) in turns.iter().zip(&turns[100..]) {
            assert!(*late - *early >= Pace::SECOND);
        }
        assert_eq!(turns[99], Duration::ZERO, "a burst need not wait");
        assert_eq!(turns[999], 9 * Pace::SECOND, "and no time is wasted");
    }

    #[test]
    fn no_second_holds_more_bytes_than_allowed() {
        let turns = turns(&mut pace(None, Some(1000)), 10, 400);
        assert_eq!(turns[1], Duration::ZERO);
        assert_eq!(turns[2], Pace::SECOND);
        assert_eq!(turns[9], 4 * Pace::SECOND);
    }

    #[test]
    fn a_message_larger_than_the_quota_goes_by_itself() {
        assert_eq!(turns(&mut pace(None, Some(10)), 3, 25)[2], 2 * Pace::SECOND);
    }

    #[test]
    fn without_quotas_nothing_waits_and_nothing_is_kept() {
        let mut pace = pace(None, None);
        assert_eq!(turns(&mut pace, 10_000, 1000)[9_999], Duration::ZERO);
        assert!(pace.sent.is_empty());
    }
}
