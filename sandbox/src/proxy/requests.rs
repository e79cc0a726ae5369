//! What the proxies remember of the requests made to them.

use std::collections::VecDeque;
use std::fmt;

use parking_lot::Mutex;

/// One of the sandbox's proxies; [`Proxies`](crate::Proxies) has their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyKind {
    /// HTTP CONNECT.
    Http,
    /// HTTP CONNECT with a password.
    HttpAuth,
    /// HTTP CONNECT over TLS.
    Https,
    /// SOCKS5.
    Socks5,
    /// SOCKS5 with a password.
    Socks5Auth,
}

impl ProxyKind {
    pub(super) const ALL: [ProxyKind; 5] =
        [ProxyKind::Http, ProxyKind::HttpAuth, ProxyKind::Https, ProxyKind::Socks5, ProxyKind::Socks5Auth];

    pub(super) fn asks_for_password(self) -> bool {
        matches!(self, ProxyKind::HttpAuth | ProxyKind::Socks5Auth)
    }
}

impl fmt::Display for ProxyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ProxyKind::Http | ProxyKind::HttpAuth => "HTTP",
            ProxyKind::Https => "HTTPS",
            ProxyKind::Socks5 | ProxyKind::Socks5Auth => "SOCKS5",
        })
    }
}

/// One request to a proxy, whatever became of it. One that lacked the password is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxied {
    /// Which proxy was asked.
    pub proxy: ProxyKind,
    /// Host and port as they were asked for: `localhost:8883` by name, `127.0.0.1:8883` or `[::1]:8883` by address.
    pub target: String,
    /// The user whose password was right.
    pub user: Option<String>,
}

/// How many requests are remembered.
const CAPACITY: usize = 10_000;

/// The latest requests.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<VecDeque<Proxied>>);

impl RequestLog {
    pub(super) fn add(&self, request: Proxied) {
        let mut kept = self.0.lock();
        if kept.len() == CAPACITY {
            kept.pop_front();
        }
        kept.push_back(request);
    }

    pub(super) fn snapshot(&self) -> Vec<Proxied> {
        self.0.lock().iter().cloned().collect()
    }
}
