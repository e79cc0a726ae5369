//! [AssumeRoleWithWebIdentity]: a role for the token of an identity provider; [AssumeRole]: for AWS credentials.
//!
//! [AssumeRole]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
//! [AssumeRoleWithWebIdentity]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html

use http::StatusCode;

use crate::credentials::{Holder, Names};
use crate::secret;
use crate::services::Sts;
use crate::services::answer::{Fault, parameter};
use crate::services::issuer::{Issued, Issuer};
use crate::services::sts::operation::{Done, bad};

pub(super) const OPERATION: &str = "AssumeRoleWithWebIdentity";
pub(super) const SIGNED_OPERATION: &str = "AssumeRole";

/// `expected_token` is the one that the role is assumed with.
pub(super) fn perform(
    facts: &Sts,
    expected_token: &str,
    form: &str,
    issuer: &Issuer<'_>,
) -> Result<Done, Fault> {
    let (role_arn, session) = role_and_session(form)?;
    let token = required(form, "WebIdentityToken", "webIdentityToken")?;
    if !secret::same(&token, expected_token) {
        let message = "No OpenIDConnect provider found in your account for this token";
        return Err(bad("InvalidIdentityToken", message));
    }
    if role_arn != facts.role_arn {
        let message = format!("Not authorized to perform sts:{OPERATION}");
        return Err(Fault::new(StatusCode::FORBIDDEN, "AccessDenied", message));
    }
    let holder = Holder::role(session.as_str());
    let names = holder.names();
    let issued = issuer.issue(holder)?;
    let result = format!(
        "<SubjectFromWebIdentityToken>sandbox-user</SubjectFromWebIdentityToken>\
         <Audience>sts.amazonaws.com</Audience>{}<Provider>sandbox.example.com</Provider>",
        result(&names, &issued)
    );
    Ok(Done { operation: OPERATION, result, outcome: issued.outcome() })
}

/// The one role trusts each holder of credentials that the sandbox has given out.
pub(super) fn perform_signed(
    facts: &Sts,
    caller: &Names,
    form: &str,
    issuer: &Issuer<'_>,
) -> Result<Done, Fault> {
    let (role_arn, session) = role_and_session(form)?;
    if role_arn != facts.role_arn {
        let message = format!(
            "User: {} is not authorized to perform: sts:{SIGNED_OPERATION} on resource: {role_arn}",
            caller.arn
        );
        return Err(Fault::new(StatusCode::FORBIDDEN, "AccessDenied", message));
    }
    let holder = Holder::role(session.as_str());
    let names = holder.names();
    let issued = issuer.issue(holder)?;
    Ok(Done { operation: SIGNED_OPERATION, result: result(&names, &issued), outcome: issued.outcome() })
}

fn required(form: &str, name: &str, member: &str) -> Result<String, Fault> {
    parameter(form, name)
        .ok_or_else(|| validation(&format!("Value null at '{member}'"), "Member must not be null"))
}

fn role_and_session(form: &str) -> Result<(String, String), Fault> {
    let role_arn = required(form, "RoleArn", "roleArn")?;
    let session = required(form, "RoleSessionName", "roleSessionName")?;
    let plain = |char: char| char.is_ascii_alphanumeric() || "_+=,.@-".contains(char);
    if !(2..=64).contains(&session.len()) || !session.chars().all(plain) {
        let constraint = r"Member must satisfy regular expression pattern: [\w+=,.@-]*";
        return Err(validation(&format!("Value '{session}' at 'roleSessionName'"), constraint));
    }
    if let Some(seconds) = parameter(form, "DurationSeconds")
        && !seconds.parse::<u32>().is_ok_and(|seconds| (900..=43_200).contains(&seconds))
    {
        let constraint = "Member must have value between 900 and 43200";
        return Err(validation(&format!("Value '{seconds}' at 'durationSeconds'"), constraint));
    }
    Ok((role_arn, session))
}

fn result(names: &Names, issued: &Issued) -> String {
    let Issued { credentials, .. } = issued;
    format!(
        "<AssumedRoleUser><Arn>{}</Arn><AssumedRoleId>{}</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
        names.arn,
        names.user_id,
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        issued.expiration_text(),
    )
}

fn validation(value: &str, constraint: &str) -> Fault {
    let message = format!("1 validation error detected: {value} failed to satisfy constraint: {constraint}");
    bad("ValidationError", message)
}
