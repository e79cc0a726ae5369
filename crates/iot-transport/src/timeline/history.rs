use std::collections::VecDeque;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Attempt, Timeline};

/// The connection attempts of a client. Clones share them.
///
/// The first and the last nine are kept, so that a client which runs for days stays bounded: the first shows how the
/// settings worked out, the last what the trouble is.
#[derive(Debug, Clone)]
pub struct Timelines {
    target: String,
    kept: Arc<Mutex<Kept>>,
}

/// Connection attempts, in order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Attempts {
    /// Those that were kept.
    pub kept: Vec<Attempt>,
    /// How many, between the first and the others, were not.
    pub left_out: u64,
}

#[derive(Debug, Default)]
struct Kept {
    first: Option<Timeline>,
    last: VecDeque<Timeline>,
    /// All that there were.
    count: u64,
}

impl Timelines {
    const LAST: usize = 9;

    /// `target` is the `host:port` of all of them.
    pub fn new(target: String) -> Self {
        Self { target, kept: Arc::default() }
    }

    /// The attempts so far, as they stand.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        let kept = self.kept();
        let last = u64::try_from(kept.last.len()).unwrap_or(u64::MAX);
        let first = kept.first.iter().map(|timeline| (1, timeline));
        let others = (kept.count - last + 1..).zip(&kept.last);
        let attempts = first.chain(others);
        Attempts {
            kept: attempts.map(|(number, timeline)| timeline.attempt(number, self.target.clone())).collect(),
            left_out: kept.count.saturating_sub(last + 1),
        }
    }

    /// Begins another attempt.
    pub fn begin(&self) -> Timeline {
        let timeline = Timeline::start();
        let mut kept = self.kept();
        kept.count += 1;
        if kept.first.is_none() {
            kept.first = Some(timeline.clone());
        } else {
            if kept.last.len() == Self::LAST {
                kept.last.pop_front();
            }
            kept.last.push_back(timeline.clone());
        }
        timeline
    }

    /// The connection of the last attempt has ended without being asked to.
    pub fn ended(&self, error: &(dyn StdError + 'static)) {
        let kept = self.kept();
        if let Some(timeline) = kept.last.back().or(kept.first.as_ref()) {
            timeline.ended(error);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_are_kept() {
        let timelines = Timelines::new("localhost:8883".to_owned());
        let numbers = || timelines.attempts().kept.iter().map(|attempt| attempt.number).collect::<Vec<_>>();
        assert!(numbers().is_empty());
        for _ in 0..10 {
            timelines.begin();
        }
        assert_eq!(numbers(), (1..=10).collect::<Vec<_>>());
        assert_eq!(timelines.attempts().left_out, 0);
        for _ in 10..1000 {
            timelines.begin();
        }
        assert_eq!(numbers(), [1, 992, 993, 994, 995, 996, 997, 998, 999, 1000]);
        assert_eq!(timelines.attempts().left_out, 990);
    }
}
