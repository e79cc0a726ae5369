use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The moment of the next connection attempt of each client ID, for the whole process: an application that calls
/// [`Client::connect`](crate::Client::connect) in a loop is no storm either.
static NEXT: Mutex<Option<HashMap<String, Instant>>> = Mutex::new(None);

/// Books an attempt of a client ID at a broker, if `interval` has passed since the one before.
///
/// # Errors
///
/// The moment to ask again. Then nothing is booked: a caller that gives up waiting leaves no gap.
pub(crate) fn try_acquire(
    target: &str,
    client_id: &str,
    interval: Duration,
    now: Instant,
) -> Result<(), Instant> {
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let next = next.get_or_insert_default();
    next.retain(|_, next| *next > now);
    match next.entry(format!("{client_id} at {target}")) {
        Entry::Occupied(allowed) => Err(*allowed.get()),
        Entry::Vacant(allowed) => {
            allowed.insert(after(now, interval));
            Ok(())
        }
    }
}

/// A moment in the future, however far.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    /// Longer than any process waits, and too short for a clock to overflow.
    const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    now + delay.min(FOR_EVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn attempts_of_one_client_id_keep_their_distance() {
        let start = Instant::now();
        assert_eq!(try_acquire("localhost:1", "connect-rate-1", SECOND, start), Ok(()));
        assert_eq!(try_acquire("localhost:1", "connect-rate-1", SECOND, start), Err(start + SECOND));
        assert_eq!(try_acquire("localhost:1", "connect-rate-2", SECOND, start), Ok(()), "another client ID");
        assert_eq!(try_acquire("localhost:2", "connect-rate-1", SECOND, start), Ok(()), "another broker");
        assert_eq!(try_acquire("localhost:1", "connect-rate-1", SECOND, start + SECOND), Ok(()));
        assert_eq!(
            try_acquire("localhost:1", "connect-rate-1", SECOND, start + SECOND),
            Err(start + 2 * SECOND)
        );
    }

    #[test]
    fn a_caller_that_gives_up_waiting_leaves_no_gap() {
        let start = Instant::now();
        assert_eq!(try_acquire("localhost:1", "connect-rate-3", SECOND, start), Ok(()));
        for _ in 0..100 {
            assert_eq!(try_acquire("localhost:1", "connect-rate-3", SECOND, start), Err(start + SECOND));
        }
    }

    #[test]
    fn no_delay_is_too_long() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > now + Duration::from_secs(1_000_000_000));
    }
}
