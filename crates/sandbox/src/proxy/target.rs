//! What a client wants to be connected to, and whether it may.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Within this machine a connection takes no time, unless its listener's queue is full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A host, as it was asked for, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why a target was not connected to.
#[derive(Debug, Error)]
pub(super) enum Unreachable {
    #[error("only targets on the loopback interface are allowed")]
    NotLoopback,
    #[error("there is no such name")]
    NoSuchName,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Target {
    pub(super) fn address(address: impl Into<IpAddr>, port: u16) -> Self {
        Target { host: Host::Address(address.into()), port }
    }

    /// A name, or an IPv4 address as text.
    pub(super) fn name(name: &str, port: u16) -> Self {
        match name.parse::<Ipv4Addr>() {
            Ok(address) => Target::address(address, port),
            Err(_) => Target { host: Host::Name(name.to_owned()), port },
        }
    }

    pub(super) async fn connect(&self) -> Result<TcpStream, Unreachable> {
        let mut first = None;
        for address in self.resolve()? {
            let attempt = timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(address, self.port)));
            let error = match attempt.await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => error,
                Err(_) => ErrorKind::TimedOut.into(),
            };
            // That of a further address says less: many machines have no IPv6.
            first.get_or_insert(error);
        }
        Err(first.map_or(Unreachable::NoSuchName, Unreachable::Failed))
    }

    /// The addresses to try. No name server is asked: of the names, `localhost` and those below it are the loopback
    /// interface, and those below `invalid` do not exist (RFC 6761 §6.3 and §6.4).
    fn resolve(&self) -> Result<Vec<IpAddr>, Unreachable> {
        match &self.host {
            Host::Address(address) if address.to_canonical().is_loopback() => Ok(vec![*address]),
            Host::Address(_) => Err(Unreachable::NotLoopback),
            Host::Name(name) => {
                let name = name.to_ascii_lowercase();
                match name.trim_end_matches('.').rsplit('.').next() {
                    Some("localhost") => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
                    Some("invalid") => Err(Unreachable::NoSuchName),
                    _ => Err(Unreachable::NotLoopback),
                }
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(formatter, "{}:{}", name.escape_debug(), self.port),
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_interface_is_reached() {
        let name = |text: &str| Target::name(text, 1);
        let address = |text: &str| Target::address(text.parse::<IpAddr>().unwrap(), 1);
        for target in [
            name("localhost"),
            name("LocalHost."),
            name("a.localhost"),
            name("127.0.0.1"),
            address("127.255.0.1"),
            address("::1"),
            address("::ffff:127.0.0.1"),
        ] {
            assert!(target.resolve().is_ok_and(|found| !found.is_empty()), "{target}");
        }
        for target in [
            name("example.com"),
            name("localhost.example.com"),
            name("notlocalhost"),
            name(""),
            name("2130706433"),
            name("127.1"),
            // Linux takes it for the loopback interface.
            address("0.0.0.0"),
            address("::"),
            address("::ffff:0.0.0.0"),
            address("10.0.0.1"),
            address("169.254.169.254"),
            address("::ffff:10.0.0.1"),
        ] {
            assert!(matches!(target.resolve(), Err(Unreachable::NotLoopback)), "{target}");
        }
        assert!(matches!(name("host.invalid").resolve(), Err(Unreachable::NoSuchName)));
    }

    #[test]
    fn is_written_as_it_was_asked_for() {
        assert_eq!(Target::name("LocalHost", 8883).to_string(), "LocalHost:8883");
        assert_eq!(Target::address(Ipv6Addr::LOCALHOST, 443).to_string(), "[::1]:443");
        assert_eq!(Target::name("a\nb", 1).to_string(), "a\\nb:1", "one line in a log");
    }
}
