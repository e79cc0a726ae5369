use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::error::Error;
use crate::store::{Store, Stored};
use crate::{ClientOptions, Message};

/// The sequence of a message, and whether it is in the store.
type Outcome = (u64, Result<(), Error>);

/// The message store, and what it has to say.
pub(crate) struct Disk {
    store: Store,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    sender: mpsc::UnboundedSender<Outcome>,
}

impl Disk {
    /// Opens the store, where the options name one, and gives what an earlier process has left in it, by sequence.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub(crate) async fn open(options: &ClientOptions) -> Result<Option<(Self, Vec<(u64, Message)>)>, Error> {
        let Some(directory) = options.persistence.clone() else { return Ok(None) };
        let client_id = options.client_id.clone();
        let opened = spawn_blocking(move || Store::open(&directory, &client_id)).await;
        let (store, left) = opened.unwrap_or_else(|error| {
            Err(match error.try_into_panic() {
                Ok(panic) => Error::panicked("message store", &*panic),
                // The runtime is shutting down.
                Err(_) => Error::Stopped { source: None },
            })
        })?;
        let (sender, outcomes) = mpsc::unbounded_channel();
        let left = left.into_iter().map(|Stored { key, message }| (key, message)).collect();
        Ok(Some((Self { store, outcomes, sender }, left)))
    }

    /// Stores a message; [`outcome`] tells when that is done.
    pub(crate) fn append(&self, sequence: u64, message: Arc<Message>) {
        let sender = self.sender.clone();
        self.store.append(vec![(sequence, message)], move |outcome| {
            // Nobody listens once the client has ended.
            let _ = sender.send((sequence, outcome));
        });
    }

    pub(crate) fn remove(&self, sequence: u64) {
        self.store.remove(sequence);
    }

    /// Closes the store, and gives the outcomes that have not been asked for.
    pub(crate) async fn close(self) -> Vec<Outcome> {
        let Self { store, mut outcomes, sender } = self;
        drop(sender);
        // Nothing is lost if the runtime is shutting down: it waits for the thread.
        let _ = spawn_blocking(move || drop(store)).await;
        let mut left = Vec::new();
        while let Some(outcome) = outcomes.recv().await {
            left.push(outcome);
        }
        left
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

/// Whether the options name a message store.
pub(crate) fn is_asked_for(options: &ClientOptions) -> bool {
    options.persistence.is_some()
}

/// The next answer of the message store; `None` where there is no store.
///
/// # Panics
///
/// With the panic of the store's thread: the client does not outlive its store.
pub(crate) async fn outcome(disk: &mut Option<Disk>) -> Option<Outcome> {
    let outcome = disk.as_mut()?.outcomes.recv().await?;
    if let (_, Err(error)) = &outcome
        && let Some(panic) = Store::panic(error)
    {
        resume_unwind(Box::new(format!("the message store's thread has panicked: {panic}")));
    }
    Some(outcome)
}
