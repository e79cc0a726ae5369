//! The way to the broker: TCP, a proxy's handshake where there is one, TLS, and WebSocket where the authentication
//! method asks for it.
//!
//! Each layer wraps the stream of the one below and knows nothing of the one above.

pub(crate) mod error;
pub(crate) mod hint;
mod identity;
mod inspect;
mod pem;
pub(crate) mod pkcs11;
pub(crate) mod proxy;
pub(crate) mod refusal;
mod roots;
pub(crate) mod route;
#[cfg(test)]
mod scripted;
mod stream;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod websocket;

pub use self::error::Error;
pub use self::identity::Identity;
pub(crate) use self::identity::StorePath;
pub use self::inspect::{Agreed, Probe, TlsInspection};
pub use self::pkcs11::{KeySelector, Listing, Pkcs11Options, TokenSelector};
pub use self::proxy::{
    Choice, HttpAnswer, InvalidProxy, Proxies, Proxy, ProxyAnswer, ProxyProblem, ProxyScheme,
};
pub use self::roots::{Roots, TrustStore};
pub use self::route::Route;
pub(crate) use self::stream::{Io, Stream, driving};
pub(crate) use self::tls::map_read_error;
