//! Whose AWS credentials these are, as AWS has it: what tells wrong credentials from a missing permission.

use std::env;
use std::net::IpAddr;
use std::time::Duration;

use common::{CallerIdentity, CallerUnknown, CredentialFault, ExaminedCredentials};
use iot_client::Auth;

use super::credentials;
use crate::case::Case;
use crate::check::{Check, Outcome};
use crate::method::Method;

pub(crate) const NAME: &str = "caller identity";

/// No connection needs the answer, and where STS cannot be reached each examination waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What AWS STS makes of the credentials.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Known(CallerIdentity),
    Refused,
    /// There are no AWS credentials, or nobody says whose they are.
    Unknown,
}

/// `examined` are the credentials where they could be had, `failed` is a check without which AWS cannot be asked.
pub(crate) async fn check(
    case: &Case,
    examined: Option<&ExaminedCredentials>,
    failed: Option<&str>,
) -> (Check, Caller) {
    let check = match (&case.auth, case.signer(), examined) {
        (_, Some(signer), Some(examined)) => match failed {
            Some(failed) => Check::not_reached(NAME, failed),
            None if is_here(case.host()) && !is_sts_configured() => Check::not_used(
                NAME,
                "not asked: the endpoint is on this machine, and its credentials need not be AWS's \
                 (AWS_ENDPOINT_URL_STS names an STS that knows them)",
            ),
            None => return ask(case, examined, signer.region()).await,
        },
        (None, ..) if case.method == Method::Nothing => Check::unreached(NAME, "there are no credentials"),
        (None | Some(Auth::SignedWebSocket(_)), ..) => Check::not_reached(NAME, credentials::NAME),
        (Some(_), ..) => Check::not_used(NAME, "not used: AWS STS knows AWS credentials only"),
    };
    (check, Caller::Unknown)
}

async fn ask(case: &Case, examined: &ExaminedCredentials, region: &str) -> (Check, Caller) {
    match examined.caller_identity(region, &case.route, PATIENCE.min(case.limit)).await {
        Ok(caller) => {
            let check = Check::ok(NAME, format!("{}, account {}", caller.arn, caller.account));
            (check, Caller::Known(caller))
        }
        Err(error) => match &error {
            CallerUnknown::Refused { fault, .. } => {
                let (means, change) = explain(*fault, examined);
                let means = format!("{means}; no permission is missing, for this call needs none");
                (Check::failed(NAME, error).advise(means, change), Caller::Refused)
            }
            CallerUnknown::Unasked { .. } => {
                let check = Check { outcome: Outcome::Ok, hint: None, ..Check::failed(NAME, error) };
                let means = "it is not known whose credentials these are; the connection does not need that";
                (check.warn(means, "correct that setting, or take it away"), Caller::Unknown)
            }
            _ => (unanswered(error, region), Caller::Unknown),
        },
    }
}

/// What is wrong with the credentials, and what to change.
fn explain(fault: CredentialFault, examined: &ExaminedCredentials) -> (String, String) {
    let ExaminedCredentials { source, access_key_id, are_temporary, .. } = examined;
    match fault {
        CredentialFault::UnknownKey if *are_temporary => (
            format!(
                "AWS does not know the access key ID {access_key_id}, or the session token is not the one that \
                 belongs to it, or is cut off"
            ),
            format!("give all three parts as one answer held them, or get new ones ({source})"),
        ),
        CredentialFault::UnknownKey => (
            format!(
                "AWS does not know the access key ID {access_key_id}: it is misspelt, deleted, or not active, or it is \
                 a temporary one whose session token is missing"
            ),
            format!("check the access key with `aws iam list-access-keys`, or make a new one ({source})"),
        ),
        CredentialFault::WrongSecret => (
            format!("the secret access key is not the one that belongs to the access key ID {access_key_id}"),
            format!(
                "look for a cut-off end, quotes or blanks in the secret access key ({source}); one that is lost cannot \
                 be shown again, only replaced by a new access key"
            ),
        ),
        CredentialFault::Expired => (
            "these temporary credentials have expired".to_owned(),
            format!("get new ones, and make sure that they are renewed in time ({source})"),
        ),
        CredentialFault::Clock => (
            "AWS takes a signature for 5 minutes, and this one for an old or a future one: this machine's clock is off"
                .to_owned(),
            "set it, or have the network set it (NTP)".to_owned(),
        ),
        _ => (
            "what was given cannot be an access key".to_owned(),
            format!("check it for characters that no access key ID holds: blanks, quotes, `/` ({source})"),
        ),
    }
}

/// A network that leads to AWS IoT Core alone is a sound one.
fn unanswered(error: CallerUnknown, region: &str) -> Check {
    // The hint of a layer is about the connection's own endpoint.
    let check = Check { outcome: Outcome::Ok, hint: None, ..Check::failed(NAME, error) };
    check.warn(
        "it is not known whose credentials these are; the connection does not need that, and a network may lead to AWS \
         IoT Core alone",
        format!(
            "nothing if that is meant; else let this machine reach AWS STS in {region} on port 443 (in a VPC by an \
             interface endpoint for STS), or ask from elsewhere with `aws sts get-caller-identity`"
        ),
    )
}

/// What to say when an upgrade with these credentials was refused.
pub(super) fn advise_on_upgrade(check: Check, caller: &Caller, client_id: &str) -> Check {
    match caller {
        Caller::Known(CallerIdentity { account, arn, .. }) => check.advise(
            format!(
                "AWS STS takes the same credentials, as {arn}: key, secret and session token are right, and what is \
                 missing is the permission, or the endpoint is another account's or region's"
            ),
            format!(
                "let a policy of {arn} allow iot:Connect on client/{client_id}; compare the endpoint with what \
                 `aws iot describe-endpoint --endpoint-type iot:Data-ATS` prints in account {account}"
            ),
        ),
        Caller::Refused => check.advise(
            format!("AWS STS refuses the same credentials ({NAME}): it is they, and not a permission"),
            "see there",
        ),
        Caller::Unknown => check,
    }
}

/// What to say when the upgrade was let through, and the client ID was not.
pub(super) fn advise_on_policy(check: Check, caller: &Caller, client_id: &str) -> Check {
    match caller {
        Caller::Known(CallerIdentity { arn, .. }) => check.advise(
            format!("the credentials are right, and are those of {arn}: it lacks a permission"),
            format!("let a policy of {arn} allow iot:Connect on client/{client_id}"),
        ),
        _ => check,
    }
}

/// Whether a host is this machine by its name: the sandbox, a tunnel's end.
fn is_here(host: &str) -> bool {
    let is_loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    is_loopback || name == "localhost" || name.ends_with(".localhost")
}

/// Whether the environment names another STS than AWS's own
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
fn is_sts_configured() -> bool {
    ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]
        .into_iter()
        .any(|name| env::var_os(name).is_some_and(|url| !url.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_name() {
        for (host, here) in [
            ("localhost", true),
            ("LocalHost.", true),
            ("iot.localhost", true),
            ("127.0.0.2", true),
            ("::1", true),
            ("192.0.2.1", false),
            ("localhost.example.com", false),
            ("a1b2c3-ats.iot.eu-west-1.amazonaws.com", false),
        ] {
            assert_eq!(is_here(host), here, "{host}");
        }
    }
}
