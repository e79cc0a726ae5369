//! Proxies: which one a connection goes through, and how it lets us through.
//!
//! SOCKS5 (RFC 1928) is our own few functions. The crates that were looked at lose what a proxy answers: an unknown
//! reply code, or the greeting of a server that speaks another protocol, which is what the user needs to see.

mod answer;
mod choice;
mod echo;
mod heard;
mod hint;
pub(super) mod http;
mod no_proxy;
mod server;
pub(super) mod socks5;
mod url;

pub(super) use self::answer::Failure;
pub use self::answer::{HttpAnswer, ProxyAnswer, ProxyProblem};
pub(crate) use self::choice::is_metadata;
pub use self::choice::{Choice, Proxies};
pub(super) use self::heard::{Heard, Listening};
pub(crate) use self::hint::hint;
pub use self::server::Proxy;
pub use self::url::{InvalidProxy, ProxyScheme, parse_host};
