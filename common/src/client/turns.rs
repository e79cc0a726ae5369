use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When each client ID may make its next connection attempt, for the whole process: an application that calls
/// [`Client::connect`](super::Client::connect) in a loop is no storm either.
static NEXT: Mutex<Option<HashMap<String, Instant>>> = Mutex::new(None);

/// Books the next attempt of a client ID at a broker, at least `interval` after the one before.
pub(super) fn book(target: &str, client_id: &str, interval: Duration, now: Instant) -> Instant {
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let next = next.get_or_insert_default();
    next.retain(|_, next| *next > now);
    let next = next.entry(format!("{client_id} at {target}")).or_insert(now);
    let turn = *next;
    *next = turn + interval;
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_one_client_id_keep_their_distance() {
        const SECOND: Duration = Duration::from_secs(1);
        let start = Instant::now();
        let turns = [0, 1, 2].map(|_| book("localhost:1", "turns-1", SECOND, start) - start);
        assert_eq!(turns, [Duration::ZERO, SECOND, 2 * SECOND]);
        assert_eq!(book("localhost:1", "turns-2", SECOND, start), start, "another client ID");
        assert_eq!(book("localhost:2", "turns-1", SECOND, start), start, "another broker");
        let later = start + 5 * SECOND;
        assert_eq!(book("localhost:1", "turns-1", SECOND, later), later);
    }
}
