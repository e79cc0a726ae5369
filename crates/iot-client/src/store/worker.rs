use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::database::Database;
use super::problem::Problem;
use super::request::Request;

/// The time that a removal waits for messages to share a transaction with.
const REMOVAL_DELAY: Duration = Duration::from_millis(200);
/// The same after a failure, when there is no message to write.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// The store's thread.
pub(super) struct Worker {
    database: Database,
    directory: PathBuf,
    requests: Receiver<Request>,
    /// The requests of the next transaction, in this order.
    group: Vec<Request>,
    /// The moment at which removals alone are worth a transaction; `None` without any.
    due: Option<Instant>,
    failing: bool,
}

impl Worker {
    /// `expired` is to be removed when there is time.
    pub(super) fn new(
        database: Database,
        directory: PathBuf,
        requests: Receiver<Request>,
        expired: Vec<u64>,
    ) -> Self {
        let due = (!expired.is_empty()).then(Instant::now);
        let group = expired.into_iter().map(Request::Remove).collect();
        Self { database, directory, requests, group, due, failing: false }
    }

    /// Works until nothing more is asked for.
    pub(super) fn run(&mut self) {
        while self.gather() {
            self.commit();
        }
        if !self.group.is_empty() {
            self.commit();
        }
    }

    pub(super) fn close(self) {
        if let Err(problem) = self.database.close() {
            log::debug!("the message store was not closed: {problem}");
        }
    }

    /// Refuses everything, from what is under way until the store is dropped, since the work has panicked.
    pub(super) fn refuse_all(mut self, panic: &str) {
        log::error!("the message store {} has failed: {panic}", self.directory.display());
        self.group.reverse();
        let under_way = std::iter::from_fn(|| self.group.pop());
        for request in under_way.chain(self.requests) {
            if let Request::Append { done, .. } = request {
                done.tell(Err(Problem::Died(panic.to_owned())));
            }
        }
    }

    /// Waits until there is something to write, and takes all that is there. `false`: nothing will come any more.
    fn gather(&mut self) -> bool {
        loop {
            let request = match self.due {
                None => self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.requests.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match request {
                Ok(append @ Request::Append { .. }) => {
                    self.group.push(append);
                    self.group.extend(self.requests.try_iter());
                    return true;
                }
                Ok(removal) => {
                    self.group.push(removal);
                    self.due.get_or_insert_with(|| Instant::now() + REMOVAL_DELAY);
                }
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Writes the group and answers it.
    fn commit(&mut self) {
        let mut tried = false;
        let written = self.database.ready_to_append().and_then(|()| {
            tried = true;
            self.database.write(&self.group, SystemTime::now())
        });
        let mut removals = Vec::new();
        // A panic leaves those that have no answer yet where `refuse_all` finds them.
        self.group.reverse();
        while let Some(request) = self.group.pop() {
            match request {
                Request::Append { batch, done } => {
                    // A transaction that failed may be on disk all the same: what its caller was told of must not be
                    // sent by the next process.
                    if written.is_err() && tried {
                        removals.extend(batch.iter().map(|&(key, _)| key));
                    }
                    done.tell(written.clone());
                }
                Request::Remove(key) => removals.push(key),
            }
        }
        // After the answers: with a logger that panics, the callers would be told that the messages are not on disk.
        self.report(&written);
        self.due = None;
        if written.is_err() {
            // A message that is not there needs no removal, and so a disk that is full for days fills no memory.
            if let Ok(present) = self.database.present(&removals) {
                removals = present;
            }
            // Without the messages it may work.
            if !removals.is_empty() && self.database.remove(&removals).is_ok() {
                removals.clear();
            }
            self.due = (!removals.is_empty()).then(|| Instant::now() + RETRY_DELAY);
            self.group = removals.into_iter().map(Request::Remove).collect();
        }
    }

    /// Logs where failing begins and ends; each caller is told of its own.
    fn report(&mut self, written: &Result<(), Problem>) {
        match written {
            Ok(()) if self.failing => {
                log::info!("the message store {} works again", self.directory.display())
            }
            Err(problem) if !self.failing => {
                log::warn!("cannot write to the message store {}: {problem}", self.directory.display());
            }
            _ => {}
        }
        self.failing = written.is_err();
    }
}
