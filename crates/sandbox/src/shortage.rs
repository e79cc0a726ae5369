//! Too many open files: an operating system's error that says nothing of who is at the other end.

use std::error::Error;
use std::fmt;
use std::io;

/// The advice where a lack of file descriptors is among the causes of an error.
#[must_use]
pub fn shortage_hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            Some(EMFILE) => return Some("raise this process's limit on open files (ulimit -n)"),
            Some(ENFILE) => return Some("raise this machine's limit on open files (fs.file-max)"),
            _ => next = error.source(),
        }
    }
    None
}

/// An error with what to do about it, for the log.
pub(crate) struct Explained<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match shortage_hint(self.0) {
            Some(hint) => write!(formatter, "{}: {hint}", self.0),
            None => self.0.fmt(formatter),
        }
    }
}

const EMFILE: i32 = if cfg!(windows) { 10_024 } else { 24 };
const ENFILE: i32 = if cfg!(windows) { 4 } else { 23 };
