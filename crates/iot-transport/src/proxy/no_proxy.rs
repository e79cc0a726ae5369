//! `NO_PROXY`, as curl reads it (<https://curl.se/docs/manpage.html#NOPROXY>).
//!
//! curl is alone in none of this, but no two programs agree on all of it; `tests/vectors/no_proxy.txt` holds what a
//! real curl answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::url::QUOTES;
use crate::endpoint::{Endpoint, has_zone_id};

/// The hosts that are connected to directly.
#[derive(Debug, Clone)]
pub(super) enum NoProxy {
    Everything,
    These(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// As it was written, for messages.
    text: String,
    /// An entry that no host matches has a reason instead.
    pattern: Result<Pattern, &'static str>,
}

#[derive(Debug, Clone)]
enum Pattern {
    /// A name in lower case, without dots around it, and everything below it.
    Domain(String),
    V4 {
        network: u32,
        mask: u32,
    },
    V6 {
        network: u128,
        mask: u128,
    },
}

impl NoProxy {
    /// Reads a list with commas, blanks or both between the entries.
    pub(super) fn parse(list: &str) -> Self {
        // Only as the whole list: curl takes a star among other entries for a name.
        if list == "*" {
            return NoProxy::Everything;
        }
        let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        NoProxy::These(words.map(|text| Entry { text: text.to_owned(), pattern: pattern(text) }).collect())
    }

    /// The entry that `host`, a name or an address without brackets, matches.
    pub(super) fn matching(&self, host: &str) -> Option<&str> {
        match self {
            NoProxy::Everything => Some("*"),
            NoProxy::These(entries) => {
                let host = Host::new(host);
                entries.iter().find(|entry| entry.matches(&host)).map(|entry| entry.text.as_str())
            }
        }
    }

    /// The entries that do not do what their writer had in mind, each with the reason; `variable` holds the list.
    pub(super) fn complaints(&self, variable: &str) -> impl Iterator<Item = String> {
        let entries = match self {
            NoProxy::Everything => &[],
            NoProxy::These(entries) => entries.as_slice(),
        };
        entries.iter().filter_map(move |entry| entry.complaint(variable))
    }
}

impl Entry {
    fn matches(&self, host: &Host) -> bool {
        self.pattern.as_ref().is_ok_and(|pattern| pattern.matches(host))
    }

    fn complaint(&self, variable: &str) -> Option<String> {
        let problem = match &self.pattern {
            Err(why) => format!("matches nothing: {why}"),
            Ok(_) if self.text.ends_with("/0") => {
                "matches one address: for all hosts, write * as the whole list".to_owned()
            }
            Ok(_) => return None,
        };
        // Before an @ there may be a password.
        let text = if self.text.contains('@') { "with an @".to_owned() } else { format!("{:?}", self.text) };
        Some(format!("the entry {text} of {variable} {problem}"))
    }
}

/// The hosts that an entry stands for, or the reason why there are none. Hosts are names that an [`Endpoint`] may have,
/// and addresses.
fn pattern(text: &str) -> Result<Pattern, &'static str> {
    if text.contains('\r') {
        return Err("a carriage return is part of it, as in a file with Windows line ends");
    }
    if text.contains([';', '\n']) {
        return Err("only commas and blanks separate entries");
    }
    if text.contains(QUOTES) {
        return Err("the quotes are part of it: leave them out");
    }
    if text.contains("://") || text.contains('@') {
        return Err("write the host alone, without a scheme or a user name");
    }
    if let Some((address, bits)) = text.split_once('/') {
        let network = address.parse().ok().zip(bits.parse().ok()).and_then(|(ip, bits)| network(ip, bits));
        return network.ok_or("it is not a network as in 10.0.0.0/8");
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => return Ok(Pattern::V4 { network: address.to_bits(), mask: u32::MAX }),
        Ok(IpAddr::V6(address)) => return Ok(Pattern::V6 { network: address.to_bits(), mask: u128::MAX }),
        Err(_) => {}
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let name = name.strip_prefix('.').unwrap_or(name);
    match name {
        "" => Err("it names no host"),
        "*" => Err("a star means all hosts only where it is the whole list"),
        _ if name.contains('*') => Err("to match all hosts of a domain, write the domain"),
        _ if name.contains('[') => Err("an IPv6 address stands without brackets and without a port"),
        _ if has_zone_id(name) => Err("an IPv6 address stands without a zone ID"),
        _ if name.matches(':').count() == 1 => Err("write the host without a port"),
        _ if name.parse::<IpAddr>().is_ok() => Err("an address stands without a dot before or behind it"),
        _ if Endpoint::parse(name).is_err() => Err("it is neither a host name nor an address"),
        _ => Ok(Pattern::Domain(name.to_ascii_lowercase())),
    }
}

/// The addresses whose first `bits` bits are those of `address`.
fn network(address: IpAddr, bits: u32) -> Option<Pattern> {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX << host_bits(bits, u32::BITS)?;
            Some(Pattern::V4 { network: address.to_bits() & mask, mask })
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX << host_bits(bits, u128::BITS)?;
            Some(Pattern::V6 { network: address.to_bits() & mask, mask })
        }
    }
}

/// How many bits a network of `bits` bits leaves of `width`, always fewer than `width`: to curl `/0` is the one
/// address.
fn host_bits(bits: u32, width: u32) -> Option<u32> {
    match bits {
        0 => Some(0),
        bits => width.checked_sub(bits),
    }
}

/// A host to look for.
enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Host {
    fn new(text: &str) -> Self {
        match text.parse() {
            Ok(IpAddr::V4(address)) => Host::V4(address),
            Ok(IpAddr::V6(address)) => Host::V6(address),
            Err(_) => Host::Name(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()),
        }
    }
}

impl Pattern {
    fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Pattern::Domain(domain), Host::Name(name)) => match name.strip_suffix(domain.as_str()) {
                Some(before) => before.is_empty() || before.ends_with('.'),
                None => false,
            },
            (Pattern::V4 { network, mask }, Host::V4(address)) => address.to_bits() & mask == *network,
            (Pattern::V6 { network, mask }, Host::V6(address)) => address.to_bits() & mask == *network,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::property::Cases;

    /// `tests/vectors/no_proxy.txt`: list, host, and which way curl went, made by `tests/vectors/no_proxy.sh`.
    #[test]
    fn agrees_with_curl() {
        let vectors = include_str!("../../tests/vectors/no_proxy.txt");
        let mut count = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let [list, host, way] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let found = NoProxy::parse(list).matching(host).is_some();
            assert_eq!(found, way == "direct", "NO_PROXY={list:?} and {host}");
            count += 1;
        }
        assert!(count > 40, "{count}");
    }

    /// The curl that made the vectors (7.88) knows IPv6 networks by its manual only.
    #[test]
    fn ipv6_by_value() {
        for (list, host, direct) in [
            ("0::1", "::1", true),
            ("::1/128", "::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::1/129", "::1", false),
            ("::/0", "::1", false),
            ("[::1]", "::1", false),
            ("::ffff:127.0.0.1", "127.0.0.1", false),
        ] {
            assert_eq!(NoProxy::parse(list).matching(host).is_some(), direct, "{list} and {host}");
        }
    }

    #[test]
    fn tells_the_entry() {
        let list = NoProxy::parse("localhost,.corp, 10.0.0.0/8");
        assert_eq!(list.matching("a.corp"), Some(".corp"));
        assert_eq!(list.matching("10.1.2.3"), Some("10.0.0.0/8"));
        assert_eq!(list.matching("acorp"), None);
        assert_eq!(NoProxy::parse("*").matching("a"), Some("*"));
    }

    #[test]
    fn an_entry_that_matches_nothing_has_a_reason() {
        for (list, words) in [
            ("a;b", "the entry \"a;b\" of NO_PROXY matches nothing: only commas"),
            ("localhost;127.0.0.1", "only commas"),
            ("a\nb", "only commas"),
            ("localhost\r", "the entry \"localhost\\r\" of NO_PROXY matches nothing: a carriage return"),
            ("*\r", "a carriage return"),
            ("10.0.0.0/8\r", "a carriage return"),
            ("\"localhost", "the quotes"),
            ("'*'", "the quotes"),
            ("\u{201c}a\u{201d}", "the quotes"),
            ("https://a.example", "write the host alone"),
            (
                "https://bob:hunter2@a",
                "the entry with an @ of NO_PROXY matches nothing: write the host alone",
            ),
            ("10.0.0.0/33", "not a network"),
            ("a/b", "not a network"),
            ("0.0.0.0/0", "matches one address: for all hosts"),
            ("::/0", "matches one address: for all hosts"),
            (".", "names no host"),
            ("a,*", "the whole list"),
            ("*.a", "write the domain"),
            ("[::1]", "without brackets"),
            ("fe80::1%lo", "without a zone ID"),
            ("a:443", "without a port"),
            ("::g", "neither a host name nor an address"),
            (".127.0.0.1", "without a dot"),
            ("127.1", "neither"),
            ("a..b", "neither"),
            ("a|b", "neither"),
            ("$NO_PROXY", "neither"),
            ("b\u{fc}cher.example", "neither"),
        ] {
            let complaints: Vec<_> = NoProxy::parse(list).complaints("NO_PROXY").collect();
            assert_eq!(complaints.len(), 1, "{list:?}: {complaints:?}");
            assert!(complaints[0].contains(words) && !complaints[0].contains("hunter2"), "{complaints:?}");
        }
        for list in ["*", "", " ,", "localhost,.corp, 10.0.0.0/8", "::1", "my_host", "A.Example."] {
            assert_eq!(NoProxy::parse(list).complaints("NO_PROXY").next(), None, "{list:?}");
        }
    }

    /// Whatever is typed (the list, a line break, the host): a list matches what one of its words alone does, in any
    /// case.
    #[test]
    fn property_no_proxy() {
        const PIECES: &[&[u8]] = &[
            b",",
            b" ",
            b"\t",
            b"\n",
            b".",
            b"*",
            b"a",
            b"B.example",
            b".example",
            b":443",
            b"/",
            b"/0",
            b"/8",
            b"/129",
            b"-",
            b"[",
            b"]",
            b"127.0.0.1",
            b"10.",
            b"::1",
            b"fd00::",
            b"%",
            b";",
            b"\r",
            b"\"",
            "\u{e9}".as_bytes(),
            b"\0",
        ];
        for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "no_proxy", 10_000, PIECES) {
            let text = String::from_utf8_lossy(&case);
            let (list, host) = text.rsplit_once('\n').unwrap_or((&text, "a.example"));
            let parsed = NoProxy::parse(list);
            let found = parsed.matching(host);
            let mut words = list.split([',', ' ', '\t']).filter(|_| list != "*");
            let by_word = words.find(|word| *word != "*" && NoProxy::parse(word).matching(host).is_some());
            assert_eq!(found, by_word.or((list == "*").then_some("*")), "{text:?}");
            assert_eq!(found, parsed.matching(&host.to_ascii_uppercase()), "{text:?}");
            // No host that an endpoint may have is refused as an entry.
            if let Ok(endpoint) = Endpoint::parse(host) {
                assert!(NoProxy::parse(endpoint.host()).matching(endpoint.host()).is_some(), "{text:?}");
            }
        }
    }
}
