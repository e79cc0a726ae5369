//! Bytes to a server: TCP, a proxy's handshake where there is one, TLS, and WebSocket.
//!
//! Each layer wraps the stream of the one below and knows nothing of the one above. Nothing in here knows MQTT, the AWS
//! SDK or a command line.
//!
//! | module | holds |
//! |---|---|
//! | `endpoint`, `region` | the name of a server, and what an AWS endpoint's name says |
//! | `route` | the way out of this machine: [`Route`], which names the roots to trust and the proxy |
//! | `tcp`, [`proxy`], [`tls`], [`websocket`] | one layer each |
//! | `crypto` | the cryptography below TLS |
//! | `roots`, `identity`, `pkcs11`, `pem`, `asn1`, `x509`, `certificate` | whom to trust, and who we are |
//! | [`https`], `http_refusal`, `server_clock` | requests over a route, and the answers that refuse them |
//! | [`timeline`] | the record of connection attempts, step by step |
//! | `inspect` | the layers one by one, to look for a fault |
//! | `error`, `hint`, `layer`, [`shortage`] | what can go wrong, in which layer, and what to do about it |
//! | `setting` | the names of settings in those texts, which a program may replace by those of its flags: [`Setting`] |
//! | [`text`], [`mod@file`], [`panics`] | text of foreign origin, files that the user names, panics as errors |

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod asn1;
mod cause;
mod certificate;
mod crypto;
mod endpoint;
mod error;
pub mod file;
mod hint;
mod http_refusal;
pub mod https;
mod identity;
mod inspect;
mod layer;
pub mod panics;
mod pem;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
pub mod proxy;
pub mod region;
mod roots;
mod route;
#[cfg(test)]
mod scripted;
mod server_clock;
mod setting;
pub mod shortage;
mod stream;
mod tcp;
pub mod text;
pub mod timeline;
pub mod tls;
pub mod websocket;
mod x509;

pub use self::cause::Cause;
pub use self::certificate::Certificate;
pub use self::endpoint::{Endpoint, InvalidEndpoint, bracketed};
pub use self::error::Error;
pub use self::hint::tls as tls_hint;
pub use self::http_refusal::HttpRefusal;
pub use self::identity::{Identity, StorePath};
pub use self::inspect::{Agreed, Probe, TlsInspection};
pub use self::layer::Layer;
#[cfg(feature = "pkcs11")]
pub use self::pkcs11::{KeySelector, Listing, Pkcs11Options, TokenSelector};
pub use self::proxy::{
    Choice as ProxyChoice, HttpAnswer, InvalidProxy, Proxies, Proxy, ProxyAnswer, ProxyProblem, ProxyScheme,
};
pub use self::roots::{Roots, TrustStore};
pub use self::route::Route;
pub use self::server_clock::{NoServerClock, ServerClock};
pub use self::setting::Setting;
pub use self::stream::{Io, Stream};
pub use self::timeline::{Step, Timeline, Timelines};
