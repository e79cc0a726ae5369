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
pub(super) mod socks5;
mod url;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

pub(super) use self::answer::Failure;
pub use self::answer::{HttpAnswer, ProxyAnswer, ProxyProblem};
pub(crate) use self::choice::is_metadata;
pub use self::choice::{Choice, Proxies};
pub(super) use self::heard::{Heard, Listening};
pub(crate) use self::hint::hint;
pub use self::url::InvalidProxy;
pub use self::url::parse_host;
use crate::endpoint::bracketed;
use crate::error::Error;

/// A proxy, and the user name and password for it where there are any. `Debug` and `Display` show neither.
#[derive(Clone)]
pub struct Proxy {
    scheme: ProxyScheme,
    /// A name in lower case, or an IP address without brackets.
    host: String,
    port: u16,
    credentials: Option<ProxyCredentials>,
}

/// What is spoken with a proxy. The names are curl's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyScheme {
    /// `socks5://`: SOCKS5 (RFC 1928) with an address that was looked up here.
    Socks5,
    /// `socks5h://`: SOCKS5 with the name, which the proxy looks up.
    Socks5h,
    /// `http://`: HTTP CONNECT (RFC 9110 §9.3.6).
    Http,
    /// `https://`: HTTP CONNECT within TLS.
    Https,
}

#[derive(Clone)]
pub(super) struct ProxyCredentials {
    user: String,
    password: SecretString,
}

impl Proxy {
    /// Reads `scheme://[user[:password]@]host[:port]`, user and password percent-encoded.
    ///
    /// As with curl, no scheme means `http://`, and no port means 1080, or 443 for `https://`
    /// (<https://curl.se/docs/manpage.html#-x>).
    ///
    /// # Errors
    /// [`InvalidProxy`], which says what is wrong and shows nothing that might be the password.
    pub fn parse(text: &str) -> Result<Self, InvalidProxy> {
        url::parse(text)
    }

    /// An `http://` proxy by its parts; `host` is a name, or an IP address with or without brackets.
    ///
    /// # Errors
    /// [`InvalidProxy`] if the host is neither.
    pub fn http(host: &str, port: u16) -> Result<Self, InvalidProxy> {
        Ok(Self { scheme: ProxyScheme::Http, host: url::parse_host(host)?, port, credentials: None })
    }

    /// The same proxy with this user name and password, as they are: nothing is decoded.
    ///
    /// # Errors
    /// [`InvalidProxy`] for what the proxy's protocol cannot carry.
    pub fn with_credentials(
        self,
        user: impl Into<String>,
        password: SecretString,
    ) -> Result<Self, InvalidProxy> {
        let credentials = ProxyCredentials { user: user.into(), password };
        url::check_credentials(self.scheme, &credentials)?;
        Ok(Self { credentials: Some(credentials), ..self })
    }

    /// What is spoken with it.
    #[must_use]
    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// Its host: a name in lower case, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it has a user name and a password.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// `host:port`, as it stands in messages.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    pub(super) fn credentials(&self) -> Option<&ProxyCredentials> {
        self.credentials.as_ref()
    }

    /// The error for what came in the way to `target`.
    pub(super) fn error(&self, target: &str, failure: Failure) -> Error {
        let failure = self.hide_login(failure);
        Error::Proxy {
            proxy: self.to_string(),
            target: target.to_owned(),
            problem: Box::new(failure.problem),
            source: failure.source,
        }
    }
}

impl ProxyCredentials {
    fn user(&self) -> &str {
        &self.user
    }

    fn password(&self) -> &str {
        self.password.expose_secret()
    }
}

impl ProxyScheme {
    /// The schemes of SOCKS5.
    pub const SOCKS5: [Self; 2] = [Self::Socks5, Self::Socks5h];
    /// The schemes of HTTP CONNECT.
    pub const HTTP: [Self; 2] = [Self::Http, Self::Https];

    fn name(self) -> &'static str {
        match self {
            ProxyScheme::Socks5 => "socks5",
            ProxyScheme::Socks5h => "socks5h",
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
        }
    }

    /// curl's defaults.
    fn default_port(self) -> u16 {
        match self {
            ProxyScheme::Https => 443,
            _ => 1080,
        }
    }
}

/// As a URL begins, without `://`.
impl fmt::Display for ProxyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}{})", if self.has_credentials() { ", with credentials" } else { "" })
    }
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
