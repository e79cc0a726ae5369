//! Name resolution.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use iot_transport::{ProxyChoice, ProxyScheme};

use crate::case::Case;
use crate::check::{Check, milliseconds};

pub(crate) const NAME: &str = "name";

/// What a resolver with a healthy network does not take.
const SLOW: Duration = Duration::from_secs(1);

/// Looks the endpoint up, unless a proxy does; the addresses go to `addresses`.
pub(crate) async fn check(case: &Case, choice: &ProxyChoice<'_>, addresses: &mut Vec<SocketAddr>) -> Check {
    if choice.proxy.is_some_and(|proxy| proxy.scheme() != ProxyScheme::Socks5) {
        return Check::not_used(NAME, "not looked up here: the proxy does that");
    }
    let began = Instant::now();
    let found = case.route.resolve(case.host(), case.port, case.limit).await;
    let took = began.elapsed();
    match found {
        Ok(found) => *addresses = found,
        Err(error) => return Check::failed(NAME, error),
    }
    if case.host().parse::<IpAddr>().is_ok() {
        return Check::ok(NAME, format!("{} is an address: no name to look up", case.host()));
    }
    let texts: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let families =
        match (addresses.iter().any(SocketAddr::is_ipv4), addresses.iter().any(SocketAddr::is_ipv6)) {
            (true, true) => "IPv4 and IPv6",
            (false, true) => "IPv6",
            _ => "IPv4",
        };
    let check = Check::ok(NAME, format!("{} ({families}) in {}", texts.join(", "), milliseconds(took)));
    if took < SLOW {
        return check;
    }
    check.warn(
        "the name server is slow to answer, and each reconnect asks it",
        "check the name servers of this machine; the first may be one that does not answer",
    )
}
