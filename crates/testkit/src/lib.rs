//! What the samples' tests share: running a real binary against a real sandbox, as a user would.

#[cfg(target_os = "linux")]
mod black_hole;
#[cfg(target_os = "linux")]
mod capture;
mod free_port;
mod mosquitto;
mod observer;
pub mod official;
mod openssl;
mod outcome;
pub mod peer;
pub mod policy;
pub mod property;
mod protected_key;
pub mod proxies;
pub mod readme;
mod running;
mod sample;
mod softhsm;

#[cfg(target_os = "linux")]
pub use black_hole::BlackHole;
#[cfg(target_os = "linux")]
pub use capture::{Capture, Contact};
pub use mosquitto::Mosquitto;
pub use observer::Observer;
pub use openssl::openssl;
pub use outcome::Outcome;
pub use protected_key::ProtectedKey;
pub use running::{Running, Signal};
pub use sample::{Sample, workspace};
pub use softhsm::{KeyKind, SoftHsm};
