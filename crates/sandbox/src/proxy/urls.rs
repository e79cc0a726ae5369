//! Where the proxies are.

use std::fmt;

use serde::Serialize;

use crate::names::ENDPOINT;
use crate::proxy::ProxyKind;
use crate::proxy::login::Login;

/// The URLs of the sandbox's proxies, in the form that `curl --proxy` and `HTTPS_PROXY` take. Two of them hold a
/// password, which `Debug` hides.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Proxies {
    /// HTTP CONNECT.
    pub http: String,
    /// HTTP CONNECT with user and password.
    pub http_auth: String,
    /// HTTP CONNECT over TLS; the CA to trust is the sandbox's.
    pub https: String,
    /// SOCKS5 that resolves names itself.
    pub socks5: String,
    /// The same with user and password.
    pub socks5_auth: String,
}

impl Proxies {
    pub(super) fn new(ports: &[(ProxyKind, u16)], login: &Login) -> Self {
        let url = |kind| {
            let port = ports.iter().find(|(candidate, _)| *candidate == kind).map_or(0, |(_, port)| *port);
            let Login { user, password } = login;
            match kind {
                ProxyKind::Http => format!("http://127.0.0.1:{port}"),
                ProxyKind::HttpAuth => format!("http://{user}:{password}@127.0.0.1:{port}"),
                ProxyKind::Https => format!("https://{ENDPOINT}:{port}"),
                ProxyKind::Socks5 => format!("socks5h://127.0.0.1:{port}"),
                ProxyKind::Socks5Auth => format!("socks5h://{user}:{password}@127.0.0.1:{port}"),
            }
        };
        Proxies {
            http: url(ProxyKind::Http),
            http_auth: url(ProxyKind::HttpAuth),
            https: url(ProxyKind::Https),
            socks5: url(ProxyKind::Socks5),
            socks5_auth: url(ProxyKind::Socks5Auth),
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxies")
            .field("http", &self.http)
            .field("http_auth", &without_login(&self.http_auth))
            .field("https", &self.https)
            .field("socks5", &self.socks5)
            .field("socks5_auth", &without_login(&self.socks5_auth))
            .finish()
    }
}

fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, address))) => format!("{scheme}://***@{address}"),
        _ => url.to_owned(),
    }
}
