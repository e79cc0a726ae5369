//! What a sample shows: its report on stdout, and the log and the line of progress on stderr.

pub(crate) mod logging;
mod progress;
mod report;
mod timeline_json;

pub use self::progress::Progress;
pub use self::report::Output;
