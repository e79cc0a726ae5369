//! QoS 1 messages on disk, from the moment that the client takes them until the broker acknowledges them.

mod database;
mod files;
mod problem;
mod record;
mod request;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use self::database::Database;
pub(crate) use self::problem::Problem;
pub(crate) use self::record::Stored;
use iot_transport::panics;

use self::request::{Done, Request};
use self::worker::Worker;
use super::message::Message;
use crate::error::Error;

/// The messages of one client ID in one directory.
///
/// A thread of its own writes them: all that waits goes into one transaction, so that many messages share one fsync.
/// Dropping the store writes what is left, which blocks until that is done.
#[derive(Debug)]
pub(crate) struct Store {
    directory: Arc<Path>,
    /// Only while the thread is to go on.
    requests: Option<mpsc::Sender<Request>>,
    worker: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens the store, or creates it, keeps every other process and client out, and reads what an earlier process
    /// left, in the order of the keys. A message whose expiry has passed meanwhile is dropped; that of the others is
    /// what is left of it. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; the file is then left to be looked at.
    pub(crate) fn open(directory: &Path, client_id: &str) -> Result<(Self, Vec<Stored>), Error> {
        Self::open_at(directory, client_id, SystemTime::now())
    }

    fn open_at(directory: &Path, client_id: &str, now: SystemTime) -> Result<(Self, Vec<Stored>), Error> {
        let refused = |problem| failure("open", directory, problem);
        let mut database = Database::open(directory, client_id).map_err(refused)?;
        let left = database.read(now).map_err(refused)?;
        if !left.expired.is_empty() {
            log::warn!("{} stored messages had expired before they could be sent", left.expired.len());
        }
        let (requests, waiting) = mpsc::channel();
        let worker = Worker::new(database, directory.to_owned(), waiting, left.expired);
        let worker = thread::Builder::new()
            .name("message store".to_owned())
            .spawn(move || {
                let mut worker = worker;
                match catch_unwind(AssertUnwindSafe(|| worker.run())) {
                    Ok(()) => worker.close(),
                    Err(panic) => worker.refuse_all(&panics::message(&*panic)),
                }
            })
            .map_err(|error| refused(error.into()))?;
        let store = Self { directory: directory.into(), requests: Some(requests), worker: Some(worker) };
        Ok((store, left.messages))
    }

    /// The message of the panic that has ended the store's work, if `error` tells of one.
    pub(crate) fn panic(error: &Error) -> Option<String> {
        match error {
            Error::Store { source, .. } => match source.downcast_ref() {
                Some(Problem::Died(panic)) => Some(panic.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Hands messages to the store's thread. Once they are on disk, or cannot be, `done` is told so on that thread;
    /// after an error none of them is kept. Never blocks.
    ///
    /// A key that is there already is written over.
    pub(crate) fn append(
        &self,
        batch: Vec<(u64, Arc<Message>)>,
        done: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) {
        let directory = Arc::clone(&self.directory);
        let done = move |written: Result<(), Problem>| {
            done(written.map_err(|problem| failure("write to", &directory, problem)));
        };
        self.request(Request::Append { batch, done: Done(Box::new(done)) });
    }

    /// Forgets a message, some time soon: what a crash undoes of it only means a duplicate. Never blocks.
    pub(crate) fn remove(&self, key: u64) {
        self.request(Request::Remove(key));
    }

    fn request(&self, request: Request) {
        let Some(requests) = &self.requests else { return };
        // A removal needs no answer.
        if let Err(mpsc::SendError(Request::Append { done, .. })) = requests.send(request) {
            done.tell(Err(Problem::Stopped));
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.requests.take());
        // The thread has logged all that it had to say.
        let _ = self.worker.take().map(JoinHandle::join);
    }
}

fn failure(doing: &'static str, directory: &Path, problem: Problem) -> Error {
    Error::Store { doing, directory: directory.to_owned(), source: Box::new(problem) }
}

#[cfg(test)]
mod tests;
