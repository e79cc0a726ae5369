//! What the samples' tests share: running a real binary against a real sandbox, as a user would.

mod mosquitto;
mod openssl;
mod outcome;
pub mod peer;
pub mod policy;
mod protected_key;
pub mod readme;
mod sample;
mod softhsm;

pub use mosquitto::Mosquitto;
pub use openssl::openssl;
pub use outcome::Outcome;
pub use protected_key::ProtectedKey;
pub use sample::{Sample, workspace};
pub use softhsm::{KeyKind, SoftHsm};
