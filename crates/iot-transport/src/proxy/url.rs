//! The URL of a proxy, as a user writes it.

use std::fmt;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use crate::endpoint::{Endpoint, has_zone_id};

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

/// Text that names no proxy. The message says what is wrong; of the text it shows a scheme at most, as all the rest
/// may be, or hold, the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidProxy(String);

impl InvalidProxy {
    /// The refusal of a text that is not UTF-8.
    #[must_use]
    pub fn not_utf8() -> Self {
        Self("it is not UTF-8".to_owned())
    }
}

const NO_HOST: &str = "it names no host";

/// Quotation marks that a shell removes, and other readers of a variable, such as Docker's `--env-file`, leave in it;
/// the last four are those of word processors.
pub(super) const QUOTES: [char; 7] = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];

/// How long a scheme may be to be shown in a message.
const MAX_SCHEME: usize = 16;

/// The parts of a proxy's URL.
pub(super) struct Url {
    pub(super) scheme: ProxyScheme,
    /// A name in lower case, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// User name and password, decoded.
    pub(super) login: Option<(String, SecretString)>,
}

pub(super) fn parse(text: &str) -> Result<Url, InvalidProxy> {
    if text.is_empty() {
        return invalid("it is empty");
    }
    if text.ends_with('\r') {
        return invalid("it ends in a carriage return, as the lines of a file with Windows line ends do");
    }
    // No scheme begins with one, and no host or port ends in one (RFC 3986 §3).
    if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
        return invalid("the quotes around it are part of the value: leave them out");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return invalid("it holds a space or a control character; within a password a space is written %20");
    }
    // Without a scheme it is an HTTP proxy, as with curl.
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (parse_scheme(scheme)?, rest),
        None => (ProxyScheme::Http, text),
    };
    let (user_info, host_and_port) = split_authority(rest)?;
    let (host, port) = split_port(host_and_port)?;
    let (host, port) = (parse_host(host)?, port.map_or(Ok(scheme.default_port()), parse_port)?);
    let login = match user_info {
        None | Some("") => None,
        Some(user_info) => {
            let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
            Some((decode(user)?, SecretString::from(decode(password)?)))
        }
    };
    Ok(Url { scheme, host, port, login })
}

pub(super) fn invalid<T>(problem: impl Into<String>) -> Result<T, InvalidProxy> {
    Err(InvalidProxy(problem.into()))
}

fn parse_scheme(text: &str) -> Result<ProxyScheme, InvalidProxy> {
    const KNOWN: &str = "socks5://, socks5h://, http:// or https://";
    match text.to_ascii_lowercase().as_str() {
        "socks5" => Ok(ProxyScheme::Socks5),
        "socks5h" => Ok(ProxyScheme::Socks5h),
        "http" => Ok(ProxyScheme::Http),
        "https" => Ok(ProxyScheme::Https),
        // curl takes "socks" for SOCKS4.
        "socks" | "socks4" | "socks4a" => {
            invalid("SOCKS4 is not spoken here: if the proxy speaks SOCKS5, write socks5h://")
        }
        // RFC 3986 §3.1. Anything else may be a user name and the start of a password.
        scheme
            if scheme.len() <= MAX_SCHEME
                && scheme.starts_with(|c: char| c.is_ascii_lowercase())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) =>
        {
            invalid(format!("the scheme {scheme}:// is not one of {KNOWN}"))
        }
        _ => invalid(format!("it must begin with {KNOWN}")),
    }
}

/// What stands before the `@`, if there is one, and the host with its port.
fn split_authority(text: &str) -> Result<(Option<&str>, &str), InvalidProxy> {
    let (authority, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    if authority.is_empty() {
        return invalid(NO_HOST);
    }
    if path.contains('@') {
        return invalid("within a user name or a password / is written %2F, ? is %3F and # is %23");
    }
    if !matches!(path, "" | "/") {
        return invalid("a proxy has no path: nothing may follow the host and the port");
    }
    match authority.rsplit_once('@') {
        // Guessing where the password ends would send a part of it as a name to look up.
        Some((user_info, _)) if user_info.contains('@') => {
            invalid("an @ within a user name or a password is written %40")
        }
        Some((user_info, host_and_port)) => Ok((Some(user_info), host_and_port)),
        None => Ok((None, authority)),
    }
}

/// The host, an IPv6 address with its brackets, and the port's text.
fn split_port(text: &str) -> Result<(&str, Option<&str>), InvalidProxy> {
    let end_of_host = match (text.starts_with('['), text.find(']')) {
        (true, Some(bracket)) => bracket + 1,
        (true, None) => return invalid("the bracket before the IPv6 address is not closed"),
        (false, _) if text.matches(':').count() > 1 => {
            return invalid(
                "it has more than one colon: an IPv6 address stands in brackets, as in [::1]:1080",
            );
        }
        (false, _) => text.find(':').unwrap_or(text.len()),
    };
    match text.split_at(end_of_host) {
        ("", _) => invalid(NO_HOST),
        (host, "") => Ok((host, None)),
        (host, port) => match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None => invalid("only :PORT may follow the bracket of an IPv6 address"),
        },
    }
}

fn parse_port(text: &str) -> Result<u16, InvalidProxy> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_number && port > 0 => Ok(port),
        _ => invalid(
            "what follows the host is not a port from 1 to 65535; a user name and password stand before the host, \
             with an @ behind them",
        ),
    }
}

/// A name or an address as it stands in a URL: an IPv6 address in brackets, which a caller may leave out.
pub fn parse_host(text: &str) -> Result<String, InvalidProxy> {
    if has_zone_id(text) {
        return invalid(
            "an IPv6 address with a zone ID is not supported: give a name, or an address that is valid without one",
        );
    }
    // An IPv4 address in brackets, or a name, would pass for what is inside.
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if bracketed.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_err()) {
        return invalid("what stands in brackets is not an IPv6 address");
    }
    match Endpoint::parse(text) {
        Ok(host) => Ok(host.host().to_owned()),
        // Its message quotes the text.
        Err(_) => invalid("its host is neither a host name nor an IP address"),
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Result<String, InvalidProxy> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    };
    if !text.split('%').skip(1).all(is_escape) {
        return invalid("a % within a user name or a password is written %25");
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => invalid("its user name or password is not UTF-8"),
    }
}
