//! What a program publishes: where its messages come from, and what becomes of those under way.

mod lines;
mod messages;
mod publisher;

pub use self::lines::LineError;
pub use self::messages::Messages;
pub use self::publisher::{Publisher, Traffic};
