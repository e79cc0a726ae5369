//! The flags, the output and the AWS credentials that the samples share.
//!
//! The paved path, in the order in which a sample walks it:
//!
//! 1. `args` turns flags into settings. Each group is a clap struct to flatten into a sample's own.
//! 2. [`iot_client::Auth`] says who we are: an [`iot_transport::Identity`] for mutual TLS, a [`SigV4`] whose
//!    [`CredentialSource`] signs the WebSocket upgrade, or what a [custom authorizer](iot_client::custom_auth) looks at.
//! 3. [`iot_client::Client`] connects over an [`iot_transport::Route`] and keeps the connection up. A [`Publisher`] takes
//!    [`Messages`] from a long run to the broker.
//! 4. [`Failure`] is what `main` returns: it shows the chain of causes and what to do.
//!
//! | module | holds |
//! |---|---|
//! | `args` (feature `args`) | flags and environment variables, one group a file |
//! | `output` (feature `args`) | what a sample prints, as text or JSON, its log and its progress line |
//! | `credentials`, [`sigv4`], `sigv4_upgrade` | the sources of AWS credentials, and signatures with them |
//! | `publisher` | messages of a long run: numbered, or the lines of the standard input |
//! | `interrupt`, `error`, `failure` | Ctrl-C, and what can go wrong |
//!
//! Nothing in here prints: what the user asked for is written to a writer of the sample's choice, and the rest goes to
//! the [`log`] crate. Only a password or PIN that nothing else gives is asked for on the terminal.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "args")]
pub mod args;
mod credentials;
mod error;
mod failure;
mod interrupt;
#[cfg(feature = "args")]
mod output;
mod publisher;
pub mod sigv4;
mod sigv4_upgrade;

pub use credentials::{
    CallerIdentity, CallerUnknown, CognitoId, CognitoIdentity, CredentialFault, CredentialSource,
    ExaminedCredentials, InvalidCognitoId, InvalidName, RoleAlias, StaticCredentials, ThingName,
    X509Credentials,
};
pub use error::Error;
pub use failure::Failure;
pub use interrupt::{until_interrupted, until_interrupted_twice};
#[cfg(feature = "args")]
pub use output::Progress;
pub use publisher::{LineError, Messages, Publisher, SharedGroup, Traffic};
pub use secrecy::SecretString;
pub use sigv4_upgrade::SigV4;
