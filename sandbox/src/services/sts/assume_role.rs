//! [AssumeRoleWithWebIdentity]: a role for the token of an identity provider.
//!
//! [AssumeRoleWithWebIdentity]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html

use http::StatusCode;

use crate::credentials::{Holder, Names};
use crate::secret;
use crate::services::Sts;
use crate::services::answer::{Fault, parameter};
use crate::services::issuer::{Issued, Issuer};
use crate::services::sts::{Done, bad};

pub(super) const OPERATION: &str = "AssumeRoleWithWebIdentity";

/// `expected_token` is the one that the role is assumed with.
pub(super) fn perform(
    facts: &Sts,
    expected_token: &str,
    form: &str,
    issuer: &Issuer<'_>,
) -> Result<Done, Fault> {
    let required = |name: &str, member: &str| {
        parameter(form, name)
            .ok_or_else(|| validation(&format!("Value null at '{member}'"), "Member must not be null"))
    };
    let role_arn = required("RoleArn", "roleArn")?;
    let session = required("RoleSessionName", "roleSessionName")?;
    let token = required("WebIdentityToken", "webIdentityToken")?;
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
    Ok(Done { operation: OPERATION, result: result(&names, &issued), outcome: issued.outcome() })
}

fn result(names: &Names, issued: &Issued) -> String {
    let Issued { credentials, .. } = issued;
    format!(
        "<SubjectFromWebIdentityToken>sandbox-user</SubjectFromWebIdentityToken>\
         <Audience>sts.amazonaws.com</Audience>\
         <AssumedRoleUser><Arn>{}</Arn><AssumedRoleId>{}</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         <Provider>sandbox.example.com</Provider>",
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
