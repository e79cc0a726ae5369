//! The place of `disk` in a build without the feature `store`.

use std::sync::Arc;

use crate::error::Error;
use crate::{ClientOptions, Message};

type Outcome = (u64, Result<(), Error>);

/// A message store; there is none.
pub(crate) enum Disk {}

impl Disk {
    pub(crate) async fn open(_: &ClientOptions) -> Result<Option<(Self, Vec<(u64, Message)>)>, Error> {
        Ok(None)
    }

    pub(crate) fn append(&self, _: u64, _: Arc<Message>) {
        match *self {}
    }

    pub(crate) fn remove(&self, _: u64) {
        match *self {}
    }

    pub(crate) async fn close(self) -> Vec<Outcome> {
        match self {}
    }
}

pub(crate) fn is_asked_for(_: &ClientOptions) -> bool {
    false
}

pub(crate) async fn outcome(_: &mut Option<Disk>) -> Option<Outcome> {
    None
}
