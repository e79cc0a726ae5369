//! What the samples share: everything between a command line and a connection to AWS IoT Core.
//!
//! The paved path, in the order in which a sample walks it:
//!
//! 1. [`args`] turns flags into settings. Each group is a clap struct to flatten into a sample's own.
//! 2. [`Auth`] says who we are: an [`Identity`] for mutual TLS, a [`CredentialSource`] whose credentials sign the
//!    WebSocket upgrade, or what a custom authorizer looks at ([`custom_auth`]).
//! 3. [`Client::connect`] dials (TCP, a proxy, TLS, WebSocket) over a [`Route`], speaks MQTT, and keeps the connection
//!    up. A [`Publisher`] takes [`Messages`] from a long run to the broker.
//! 4. [`Error`] says which layer refused and [`Error::hint`] what to do; [`Failure`] is how `main` shows it.
//! 5. [`ClientOptions::timelines`] tells of each attempt's steps, whatever became of it ([`timeline`]).
//!
//! What a client does not need, and somebody who looks for a fault does: [`Route`] tries one layer at a time
//! ([`probe`](Route::probe), [`inspect_tls`](Route::inspect_tls), [`server_clock`](Route::server_clock)),
//! [`Identity::certificates`], [`CredentialSource::examine`] and [`ExaminedCredentials::caller_identity`] say whose
//! credentials these are.
//!
//! Nothing in here prints: what the user asked for is written to a writer of the sample's choice
//! ([`args::Output`]), and the rest goes to the [`log`] crate. Only a password or PIN that nothing else gives is asked
//! for on the terminal.

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
