//! A proxy, and the login for it.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::url::{self, InvalidProxy, ProxyScheme, Url};
use crate::endpoint::bracketed;

/// The most bytes of a user name and of a password that SOCKS5 carries (RFC 1929 §2).
const MAX_SOCKS_FIELD: usize = 255;

/// A proxy, and the user name and password for it where there are any. `Debug` and `Display` show neither.
#[derive(Clone)]
pub struct Proxy {
    scheme: ProxyScheme,
    /// A name in lower case, or an IP address without brackets.
    host: String,
    port: u16,
    credentials: Option<ProxyCredentials>,
}

#[derive(Clone)]
pub(crate) struct ProxyCredentials {
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
        let Url { scheme, host, port, login } = url::parse(text)?;
        let proxy = Self { scheme, host, port, credentials: None };
        match login {
            Some((user, password)) => proxy.with_credentials(user, password),
            None => Ok(proxy),
        }
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
        credentials.check(self.scheme)?;
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
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    pub(crate) fn credentials(&self) -> Option<&ProxyCredentials> {
        self.credentials.as_ref()
    }
}

impl ProxyCredentials {
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        self.password.expose_secret()
    }

    /// # Errors
    /// [`InvalidProxy`] for what the protocol cannot carry.
    fn check(&self, scheme: ProxyScheme) -> Result<(), InvalidProxy> {
        let (user, password) = (self.user(), self.password());
        match scheme {
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                if user.is_empty() {
                    return url::invalid("a password needs a user name with SOCKS5");
                }
                if user.len() > MAX_SOCKS_FIELD || password.len() > MAX_SOCKS_FIELD {
                    return url::invalid(format!(
                        "SOCKS5 carries a user name and a password of at most {MAX_SOCKS_FIELD} bytes each"
                    ));
                }
            }
            ProxyScheme::Http | ProxyScheme::Https => {
                // RFC 7617 §2, both.
                if user.contains(':') {
                    return url::invalid("a user name with a colon cannot be told from its password in HTTP");
                }
                if [user, password].iter().any(|text| text.contains(char::is_control)) {
                    return url::invalid("HTTP carries no control character in a user name or a password");
                }
            }
        }
        Ok(())
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
