//! What the credentials are, and until when.

use std::time::{Duration, SystemTime};

use common::{CredentialSource, ExaminedCredentials};
use iot_client::Auth;
use iot_client::custom_auth::CustomAuthorizer;
use iot_transport::{Error as TransportError, Identity, Layer};
use tokio::time::timeout;

use crate::case::Case;
use crate::check::{Check, utc};

pub(crate) const NAME: &str = "credentials";

/// Before its end a certificate should be on its way to be replaced.
pub(super) const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Temporary credentials that end before this are at the end of their life, or not renewed.
const SHORT: Duration = Duration::from_secs(15 * 60);

/// AWS credentials are returned, too: whose they are is another check.
pub(crate) async fn check(case: &Case) -> (Check, Option<ExaminedCredentials>) {
    if let Some(signer) = case.signer() {
        return signing(case, signer.credentials(), signer.region()).await;
    }
    let check = match &case.auth {
        Some(Auth::MutualTls(identity)) => certificate(identity),
        Some(Auth::CustomAuthorizer { authorizer, .. }) => login(authorizer),
        Some(_) => Check::unreached(NAME, "they are of a kind that the doctor does not know"),
        None => Check::unreached(
            NAME,
            "none were given: --cert and --key, or the flags of another way to authenticate (--auth)",
        ),
    };
    (check, None)
}

fn certificate(identity: &Identity) -> Check {
    let chain = identity.certificates();
    let Some(leaf) = chain.first() else {
        return Check::ok(NAME, "a client certificate whose fields cannot be shown");
    };
    let now = SystemTime::now();
    let check = Check::ok(
        NAME,
        format!(
            "client certificate of {} by {}, ID {}, {}, valid until {}; the private key belongs to it",
            leaf.subject,
            leaf.issuer,
            leaf.fingerprint,
            leaf.key,
            utc(leaf.not_after)
        ),
    );
    let change = "make a new certificate, attach the same policy and thing to it, and activate it";
    match leaf.not_after.duration_since(now) {
        _ if now < leaf.not_before => check.warn(
            format!(
                "by this machine's clock the client certificate is not valid before {}",
                utc(leaf.not_before)
            ),
            "set the clock if it is wrong",
        ),
        Err(_) => check.warn("by this machine's clock the client certificate has expired", change),
        Ok(remaining) if remaining < SOON => {
            let days = remaining.as_secs() / (24 * 60 * 60);
            check.warn(format!("the client certificate expires in {days} days"), change)
        }
        Ok(_) => check,
    }
}

/// What to say when the server has turned the certificate down.
pub(super) fn advise_on_rejection(check: Check, identity: &Identity) -> Check {
    let chain = identity.certificates();
    let Some(leaf) = chain.first() else { return check };
    check.advise(
        format!(
            "AWS IoT Core does not know the client certificate in this account and region, it is not active, or it has \
             expired (it is valid until {}); with TLS 1.3 that shows only after the handshake",
            utc(leaf.not_after)
        ),
        format!("`aws iot describe-certificate --certificate-id {}` shows its status", leaf.fingerprint),
    )
}

/// What to say when the certificate was taken, and its client ID was not.
pub(super) fn advise_on_policy(check: Check, identity: &Identity) -> Check {
    let chain = identity.certificates();
    let Some(leaf) = chain.first() else { return check };
    check.advise(
        "TLS has taken the certificate; a policy attached to it has to allow this client ID, and one with variables of \
         a thing only lets in the client ID that is the name of a thing the certificate is attached to",
        format!(
            "find the certificate's ARN with `aws iot describe-certificate --certificate-id {}`, then its policies \
             with `aws iot list-attached-policies --target <ARN>`",
            leaf.fingerprint
        ),
    )
}

async fn signing(
    case: &Case,
    source: &CredentialSource,
    region: &str,
) -> (Check, Option<ExaminedCredentials>) {
    let examined = timeout(case.limit, Box::pin(source.examine(region, &case.route))).await;
    let examined = examined.unwrap_or_else(|_| {
        Err(TransportError::ConnectTimeout {
            target: source.to_string(),
            proxy: None,
            waiting_for: Layer::Credentials,
            seen: None,
            after: case.limit,
        }
        .into())
    });
    match examined {
        Ok(examined) => (describe(&examined, region), Some(examined)),
        Err(error) => (Check::failed(NAME, error), None),
    }
}

fn describe(examined: &ExaminedCredentials, region: &str) -> Check {
    let ExaminedCredentials { source, access_key_id, are_temporary, expires, cognito_identity, .. } =
        examined;
    let kind = if *are_temporary { "temporary" } else { "without a session token" };
    let mut finding = format!("access key ID {access_key_id} from {source}, {kind}");
    match expires {
        Some(expires) => finding.push_str(&format!(", expire {}", utc(*expires))),
        None if *are_temporary => finding.push_str(", expiry not stated"),
        None => {}
    }
    if let Some(identity) = cognito_identity {
        finding.push_str(&format!("; Cognito identity {identity}"));
    }
    finding.push_str(&format!("; they sign for {region}"));
    let check = Check::ok(NAME, finding);
    // The first letters of an access key ID tell its kind
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids).
    if access_key_id.starts_with("ASIA") && !are_temporary {
        return check.warn(
            "an access key ID that begins with ASIA is a temporary one, and its session token is missing",
            "give the session token that came with it (AWS_SESSION_TOKEN or --session-token-file)",
        );
    }
    match expires.map(|expires| expires.duration_since(SystemTime::now()).unwrap_or_default()) {
        Some(remaining) if remaining < SHORT => check.warn(
            format!(
                "the credentials expire in {} minutes; the connection stays, and the next one needs new ones",
                remaining.as_secs() / 60
            ),
            "make sure that the source renews them",
        ),
        _ => check,
    }
}

fn login(authorizer: &CustomAuthorizer) -> Check {
    let username = match authorizer.shown_username() {
        username if username.is_empty() => "empty".to_owned(),
        username => username,
    };
    let password = if authorizer.connect_password().is_some() { "set" } else { "none" };
    let name = authorizer.name().unwrap_or("the account's default");
    Check::ok(NAME, format!("custom authorizer {name}; CONNECT user name {username}, password {password}"))
}
