//! The doctor's binary against a sandbox: healthy, and with each layer broken.

mod caller;
mod credentials;
mod healthy;
mod network;
mod policy;
mod report;
mod tls;
mod usage;
