//! What the proxies remember of the requests made to them.

use std::collections::VecDeque;
use std::fmt;

use parking_lot::Mutex;

use crate::excerpt::excerpt;

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
    /// Host and port as they were asked for: `localhost:8883` by name, `127.0.0.1:8883` or `[::1]:8883` by address. Of a
    /// longer name than there can be, only the beginning is remembered, with `…` after it.
    pub target: String,
    /// The user whose password was right.
    pub user: Option<String>,
}

/// How many requests are remembered.
const CAPACITY: usize = 10_000;

/// What is remembered of a target, in bytes: a name of the domain system (RFC 1035 §2.3.4) and a port.
const TARGET: usize = 255 + ":65535".len();

/// The latest requests.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<VecDeque<Proxied>>);

impl RequestLog {
    pub(super) fn add(&self, mut request: Proxied) {
        request.target = excerpt(&request.target, TARGET);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_takes_little_memory_whatever_is_asked_for() {
        let log = RequestLog::default();
        for length in [255, 8000] {
            let target = format!("{}:65535", "x".repeat(length));
            log.add(Proxied { proxy: ProxyKind::Http, target, user: None });
        }
        let kept: Vec<_> = log.snapshot().into_iter().map(|request| request.target.len()).collect();
        assert_eq!(kept, [TARGET, TARGET + "…".len()]);
    }
}
