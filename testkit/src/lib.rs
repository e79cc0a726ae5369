//! What the samples' tests share: running a real binary against a real sandbox, as a user would.

mod mosquitto;
mod outcome;
pub mod policy;
pub mod readme;
mod sample;

pub use mosquitto::Mosquitto;
pub use outcome::Outcome;
pub use sample::{Sample, workspace};
