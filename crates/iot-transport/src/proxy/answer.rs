//! What a proxy answers, and what became of the way through it.

use std::fmt;

use crate::cause::Cause;
use crate::text::{shortened, words};

/// Why there was no way through a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// Name resolution, TCP, or TLS with the proxy itself failed; the error's source tells.
    Unreachable,
    /// `socks5://` has the endpoint's name looked up here, and that failed.
    Unresolved,
    /// The proxy will not, or cannot, connect to the target.
    Refused(ProxyAnswer),
    /// The proxy wants a user name and a password, and none were given.
    CredentialsWanted(ProxyAnswer),
    /// The proxy does not accept the user name and the password.
    CredentialsRefused(ProxyAnswer),
    /// What answers does not speak the proxy's protocol, or stops in the middle of it.
    Protocol {
        /// What is wrong, as in "it does not speak SOCKS5".
        complaint: String,
        /// The first bytes that it sent.
        said: Vec<u8>,
    },
    /// The proxy opened a way, but TLS with the broker failed on it.
    Tls,
}

/// A proxy's own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyAnswer {
    /// The method that a SOCKS5 server chose (RFC 1928 §3), 0xff for none.
    SocksMethod(u8),
    /// The status of SOCKS5's user name and password (RFC 1929 §2).
    SocksLogin(u8),
    /// The reply to SOCKS5's request (RFC 1928 §6).
    SocksReply(u8),
    /// It closed the connection in place of an answer.
    Closed,
    /// An HTTP response.
    Http(Box<HttpAnswer>),
}

/// The response to an HTTP CONNECT that opened no way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The words behind it.
    pub reason: String,
    /// The headers, names in lower case; what is not ASCII is escaped.
    pub headers: Vec<(String, String)>,
    /// The start of the body.
    pub body: String,
}

/// What ends a handshake with a proxy.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: ProxyProblem,
    pub(crate) source: Option<Cause>,
}

impl ProxyAnswer {
    /// The meaning of a SOCKS5 reply code (RFC 1928 §6).
    fn reply(code: u8) -> &'static str {
        match code {
            0x01 => "general failure",
            0x02 => "connection not allowed by its ruleset",
            0x03 => "network unreachable",
            0x04 => "host unreachable",
            0x05 => "connection refused",
            0x06 => "TTL expired",
            0x07 => "command not supported",
            0x08 => "address type not supported",
            _ => "a code that RFC 1928 does not have",
        }
    }
}

impl HttpAnswer {
    /// The first header of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn headers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for ProxyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyProblem::Unreachable => f.write_str("the proxy cannot be reached"),
            ProxyProblem::Unresolved => f.write_str("its address is not known here"),
            ProxyProblem::Refused(answer) => write!(f, "the proxy refused: {answer}"),
            ProxyProblem::CredentialsWanted(answer) => {
                write!(f, "the proxy wants a user name and a password: {answer}")
            }
            ProxyProblem::CredentialsRefused(answer) => {
                write!(f, "the proxy does not accept the user name and the password: {answer}")
            }
            ProxyProblem::Protocol { complaint, said } if said.is_empty() => f.write_str(complaint),
            ProxyProblem::Protocol { complaint, said } => {
                write!(f, "{complaint}; it said \"{}\"", said.escape_ascii())
            }
            ProxyProblem::Tls => f.write_str("the TLS handshake failed"),
        }
    }
}

impl fmt::Display for ProxyAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyAnswer::SocksMethod(0xff) => f.write_str("no acceptable method (SOCKS5 method 0xff)"),
            ProxyAnswer::SocksMethod(method) => write!(f, "SOCKS5 method {method:#04x}"),
            ProxyAnswer::SocksLogin(status) => write!(f, "SOCKS5 login status {status:#04x}"),
            ProxyAnswer::SocksReply(code) => write!(f, "{} (SOCKS5 reply {code:#04x})", Self::reply(*code)),
            ProxyAnswer::Closed => f.write_str("it closed the connection"),
            ProxyAnswer::Http(answer) => answer.fmt(f),
        }
    }
}

/// Status and reason, the one header that explains, and the body's title or start.
impl fmt::Display for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if !self.reason.is_empty() {
            write!(f, " {}", self.reason)?;
        }
        if let Some(error) = self.header("x-squid-error") {
            write!(f, ", {error}")?;
        }
        match summary(&self.body) {
            // Many a page's title is the status again.
            Some(summary) if summary.trim_start_matches(&self.status.to_string()).trim() != self.reason => {
                write!(f, ": {summary}")
            }
            _ => Ok(()),
        }
    }
}

/// The title of a page, or the start of any other text, in one line.
fn summary(body: &str) -> Option<String> {
    /// The most characters of a body that are shown.
    const MAX: usize = 200;
    // Of the same length in bytes, so that places in one are places in the other.
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + "<title>".len()).and_then(|start| {
        let length = lower.get(start..)?.find("</title>")?;
        body.get(start..start + length)
    });
    shortened(words(title.unwrap_or(body)).collect::<Vec<_>>().join(" "), MAX)
}

impl From<ProxyProblem> for Failure {
    fn from(problem: ProxyProblem) -> Self {
        Self { problem, source: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_explains() {
        let mut answer = HttpAnswer {
            status: 403,
            reason: "Forbidden".to_owned(),
            headers: vec![
                ("server".to_owned(), "squid/5.7".to_owned()),
                ("x-squid-error".to_owned(), "ERR_ACCESS_DENIED 0".to_owned()),
            ],
            body: "<html><head>\n<TITLE>ERROR: Access\n Denied</TITLE>…".to_owned(),
        };
        assert_eq!(answer.to_string(), "HTTP 403 Forbidden, ERR_ACCESS_DENIED 0: ERROR: Access Denied");
        answer.headers.clear();
        answer.body = "no\x1b[2J\r\n".to_owned();
        assert_eq!(answer.to_string(), "HTTP 403 Forbidden: no [2J");
        answer.body = "<html><title>403 Forbidden</title>".to_owned();
        assert_eq!(answer.to_string(), "HTTP 403 Forbidden");
        answer.body = "é".repeat(300);
        assert_eq!(answer.to_string().chars().count(), "HTTP 403 Forbidden: ".len() + 201);
        answer.body = "<title>".to_owned();
        answer.reason.clear();
        assert_eq!(answer.to_string(), "HTTP 403: <title>");
    }

    #[test]
    fn unknown_codes_are_shown() {
        assert_eq!(
            ProxyAnswer::SocksReply(0x5b).to_string(),
            "a code that RFC 1928 does not have (SOCKS5 reply 0x5b)"
        );
        let problem = ProxyProblem::Protocol { complaint: "no".to_owned(), said: b"\x05H\r\n\"".to_vec() };
        assert_eq!(problem.to_string(), r#"no; it said "\x05H\r\n\"""#);
    }
}
