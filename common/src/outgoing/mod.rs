//! What a program publishes: where its messages come from, and what becomes of those under way.

mod lines;
mod messages;
mod window;

pub use self::lines::{LineError, Lines};
pub use self::messages::Messages;
pub use self::window::{Pace, Returns, Window};
