//! TCP, to each address of the endpoint, or through the proxy.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use iot_transport::timeline::StepState;
use iot_transport::{Error as TransportError, Probe};

use crate::case::Case;
use crate::check::{Check, milliseconds};

pub(crate) const NAME: &str = "TCP";

/// One address, and what came of it.
struct Tried {
    address: SocketAddr,
    took: Duration,
    outcome: Result<(), TransportError>,
}

/// Connects to each address, all at the same time.
pub(crate) async fn check(case: &Case, addresses: &[SocketAddr]) -> Check {
    let tried = join_all(addresses.iter().map(|&address| async move {
        let began = Instant::now();
        let outcome = case.route.probe_address(address, case.limit).await;
        Tried { address, took: began.elapsed(), outcome }
    }));
    judge(tried.await)
}

fn judge(tried: Vec<Tried>) -> Check {
    if tried.iter().all(|one| one.outcome.is_err()) {
        return all_failed(tried);
    }
    let texts: Vec<_> = tried.iter().map(describe).collect();
    let check = Check::ok(NAME, texts.join("; "));
    if let Some(change) = tried.iter().find_map(|one| one.outcome.as_ref().err()?.shortage()) {
        return check.warn("the connections that failed are this machine's fault, not the network's", change);
    }
    // A program need not listen on both of this machine's own.
    let remote = || tried.iter().filter(|one| !one.address.ip().is_loopback());
    let fails = |is_v6: bool| {
        let mut family = remote().filter(|one| one.address.is_ipv6() == is_v6).peekable();
        family.peek().is_some() && family.all(|one| one.outcome.is_err())
    };
    if fails(true) {
        return check.warn(
            "the endpoint has IPv6 addresses, and IPv6 does not lead there: IPv4 is tried 250 ms later, and does",
            "mend the network's IPv6, or switch it off on this machine",
        );
    }
    if fails(false) {
        return check.warn(
            "IPv4 does not lead to the endpoint, and IPv6 does",
            "mend the network's IPv4, or use --ipv6",
        );
    }
    if remote().any(|one| one.outcome.is_err()) {
        return check.warn(
            "some addresses of the endpoint do not answer",
            "check the firewall: it may know only some",
        );
    }
    check
}

/// Goes through the proxy.
pub(crate) async fn check_through_proxy(case: &Case) -> Check {
    let Probe { steps, outcome, .. } = case.route.probe(case.host(), case.port, case.limit).await;
    if let Err(error) = outcome {
        return Check::failed(NAME, error);
    }
    let done = steps.iter().filter(|step| step.state == StepState::Done);
    let told =
        done.filter_map(|step| step.detail.as_ref().map(|detail| format!("{}: {detail}", step.name())));
    Check::ok(NAME, told.collect::<Vec<_>>().join("; "))
}

fn describe(tried: &Tried) -> String {
    let address = tried.address;
    match &tried.outcome {
        Ok(()) => format!("{address} in {}", milliseconds(tried.took)),
        Err(error) => format!("not {address} ({})", cause(error)),
    }
}

/// The first address's failure, with a word on the others.
fn all_failed(mut tried: Vec<Tried>) -> Check {
    let others: Vec<_> = tried.split_off(1).iter().map(describe).collect();
    let first = tried.pop().map(|one| one.outcome);
    let Some(Err(error)) = first else { return Check::not_reached(NAME, super::name::NAME) };
    let mut check = Check::failed(NAME, error);
    if !others.is_empty() {
        check.finding = format!("{}; {}", check.finding, others.join("; "));
    }
    check
}

fn cause(error: &TransportError) -> String {
    match error {
        TransportError::Tcp { source, .. } => source.to_string(),
        TransportError::ConnectTimeout { after, .. } => format!("no answer within {} s", after.as_secs_f32()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::check::Outcome;

    fn tried(address: &str, works: bool) -> Tried {
        let refused = || io::Error::from(io::ErrorKind::NetworkUnreachable);
        let failure = || TransportError::Tcp { target: address.to_owned(), source: refused() };
        Tried {
            address: address.parse().unwrap(),
            took: Duration::from_millis(1),
            outcome: if works { Ok(()) } else { Err(failure()) },
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_lack_of_file_descriptors_is_not_blamed_on_the_network() {
        let mut short = tried("[2001:db8::1]:443", false);
        let source = io::Error::from_raw_os_error(24);
        short.outcome = Err(TransportError::Tcp { target: "[2001:db8::1]:443".to_owned(), source });
        let check = judge(vec![short, tried("192.0.2.1:443", true)]);
        assert_eq!(check.outcome, Outcome::Warning);
        assert!(check.advice[0].means.contains("not the network's"), "{check:?}");
        assert!(check.advice[0].change.contains("ulimit -n"), "{check:?}");
    }

    #[test]
    fn a_family_that_does_not_work_is_named() {
        for (addresses, outcome, word) in [
            ([("[2001:db8::1]:443", true), ("192.0.2.1:443", true)], Outcome::Ok, ""),
            ([("[2001:db8::1]:443", false), ("192.0.2.1:443", true)], Outcome::Warning, "IPv6 does not lead"),
            ([("[2001:db8::1]:443", true), ("192.0.2.1:443", false)], Outcome::Warning, "IPv4 does not lead"),
            ([("192.0.2.2:443", false), ("192.0.2.1:443", true)], Outcome::Warning, "some addresses"),
            ([("[::1]:443", false), ("127.0.0.1:443", true)], Outcome::Ok, ""),
            ([("[2001:db8::1]:443", false), ("192.0.2.1:443", false)], Outcome::Failed, ""),
        ] {
            let check = judge(addresses.map(|(address, works)| tried(address, works)).into());
            assert_eq!(check.outcome, outcome, "{check:?}");
            let means: String = check.advice.iter().map(|advice| advice.means.as_str()).collect();
            assert!(means.contains(word) && means.is_empty() == word.is_empty(), "{check:?}");
            assert!(check.finding.contains("192.0.2.1:443") || outcome == Outcome::Ok, "{check:?}");
        }
    }
}
