use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::Error;
use crate::status::Status;

/// The state of a driver that the clones of its [`Client`](crate::Client) share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    gave_up: OnceLock<Arc<Error>>,
    status: Mutex<Status>,
    received: Arc<AtomicU64>,
}

impl Shared {
    /// For a client whose messages are counted in `received`.
    pub(crate) fn new(received: Arc<AtomicU64>) -> Self {
        Self { received, ..Self::default() }
    }

    /// Makes the status known.
    pub(crate) fn report(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Notes why the client ends.
    pub(crate) fn give_up(&self, error: &Arc<Error>) {
        // A client ends once.
        let _ = self.gave_up.set(Arc::clone(error));
    }

    pub(crate) fn stopped(&self) -> Error {
        Error::Stopped { source: self.gave_up.get().cloned() }
    }

    pub(crate) fn status(&self) -> Status {
        let status = *self.status.lock().unwrap_or_else(PoisonError::into_inner);
        Status { received: self.received.load(Ordering::Relaxed), ..status }
    }
}
