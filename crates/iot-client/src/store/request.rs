use std::fmt;
use std::sync::Arc;

use super::problem::Problem;
use crate::message::Message;

/// A request to the store's thread.
#[derive(Debug)]
pub(super) enum Request {
    /// To write messages, and to tell when they are on disk.
    Append { batch: Vec<(u64, Arc<Message>)>, done: Done },
    /// To forget one.
    Remove(u64),
}

/// The caller that waits for an answer.
pub(super) struct Done(pub(super) Box<dyn FnOnce(Result<(), Problem>) + Send>);

impl Done {
    pub(super) fn tell(self, outcome: Result<(), Problem>) {
        (self.0)(outcome);
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Done")
    }
}
