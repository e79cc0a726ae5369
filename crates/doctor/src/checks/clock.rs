//! Our clock, compared with the server's.

use crate::case::Case;
use crate::check::{Check, Outcome};
use crate::method::Method;

pub(crate) const NAME: &str = "clock";

/// In seconds: what is not worth a word, as a `Date` is in whole seconds and takes its time to get here.
const TOLERABLE: u64 = 2;
/// In seconds: what a clock that is set by the network is never off by.
const SUSPECT: u64 = 60;
/// In seconds: from here on AWS refuses a signature.
const TOO_FAR: u64 = 300;

/// `reached` is the check of the connection's own port.
pub(crate) async fn check(case: &Case, reached: &Check) -> Check {
    let answer = case.route.server_clock(case.host(), case.https_port, case.limit).await;
    let check = match answer {
        // It is the way there that is missing, or the server.
        Err(_) if !reached.is_passed() => return Check::not_reached(NAME, reached.name),
        Err(error) => {
            // It is a help, not a part of the connection.
            return Check { outcome: Outcome::Ok, ..Check::failed(NAME, error) }.warn(
                "this machine's clock could not be compared with the server's",
                "make sure that it is set by the network; --https-port names another port to ask",
            );
        }
        Ok(answer) => match answer.skew {
            None => Check::ok(NAME, format!("HTTP {} without a date", answer.status)).warn(
                "this machine's clock could not be compared",
                "make sure that it is set by the network",
            ),
            Some(skew) => judge(case.method, skew),
        },
    };
    if reached.is_passed() || !case.method.has_certificate() {
        return check;
    }
    check.warn(
        format!("port {} of the endpoint answers, and port {} does not", case.https_port, case.port),
        format!("use --port {}: a client certificate is taken there, too", case.https_port),
    )
}

fn judge(method: Method, skew: i64) -> Check {
    let off = skew.unsigned_abs();
    let direction = if skew > 0 { "fast" } else { "slow" };
    if off <= TOLERABLE {
        return Check::ok(NAME, "as the server's");
    }
    let check = Check::ok(NAME, format!("{off} s {direction}, by the server's Date"));
    let change = "set it, or have the network set it (NTP)";
    match (off, method) {
        (..TOO_FAR, _) if off <= SUSPECT => check,
        (TOO_FAR.., Method::SigV4) => Check { outcome: Outcome::Failed, ..check }
            .advise("AWS accepts a signature for 5 minutes, by its own clock", change),
        _ => check.warn(
            "certificates and signatures are judged by the time: a clock that is off breaks them",
            change,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clock_may_be_off_by() {
        for (skew, certificate, signature) in [
            (0, Outcome::Ok, Outcome::Ok),
            (-60, Outcome::Ok, Outcome::Ok),
            (61, Outcome::Warning, Outcome::Warning),
            (-299, Outcome::Warning, Outcome::Warning),
            (300, Outcome::Warning, Outcome::Failed),
            (i64::MIN, Outcome::Warning, Outcome::Failed),
        ] {
            assert_eq!(judge(Method::MutualTls, skew).outcome, certificate, "{skew}");
            assert_eq!(judge(Method::SigV4, skew).outcome, signature, "{skew}");
        }
        assert!(judge(Method::MutualTls, -100).finding.contains("100 s slow"));
    }
}
