//! What the flags of messages, sessions and the will do, as the broker and other clients see it.

mod ending;
mod messages;
mod others;
mod progress;
mod session;
mod stdin;
mod support;
mod waiting;
mod will;
