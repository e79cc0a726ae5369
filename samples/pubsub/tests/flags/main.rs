//! What the flags of messages, sessions and the will do, as the broker and other clients see it.

mod descriptors;
mod ending;
mod foreign_text;
mod messages;
mod others;
mod progress;
mod session;
mod stdin;
mod support;
mod topics;
mod waiting;
mod will;
