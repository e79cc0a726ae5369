//! [AssumeRoleWithWebIdentity] of AWS STS, in AWS's query protocol: a form is sent, XML comes back.
//!
//! [AssumeRoleWithWebIdentity]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html

use http::StatusCode;
use uuid::Uuid;

use crate::account::ACCOUNT_ID;
use crate::credentials::Holder;
use crate::secret;
use crate::services::answer::{Answer, Fault, ServiceRequest, parameter};
use crate::services::issuer::{Issued, Issuer};
use crate::services::{ROLE_NAME, Sts};

const OPERATION: &str = "AssumeRoleWithWebIdentity";
const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// `token` is the one that the role is assumed with.
pub(super) fn answer(facts: &Sts, token: &str, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
    let request_id = Uuid::new_v4().to_string();
    let (status, body, outcome) = match assume_role(facts, token, request, issuer) {
        Ok((session, issued)) => (StatusCode::OK, success(&session, &issued, &request_id), issued.outcome()),
        Err(fault) => (fault.status, refusal(&fault, &request_id), fault.outcome()),
    };
    Answer::new(status, "text/xml", body, outcome).with("x-amzn-requestid", request_id)
}

/// Returns the session's name too.
fn assume_role(
    facts: &Sts,
    expected_token: &str,
    request: &ServiceRequest<'_>,
    issuer: &Issuer<'_>,
) -> Result<(String, Issued), Fault> {
    let form = std::str::from_utf8(request.body)
        .map_err(|_| bad("MalformedInput", "The request body is not UTF-8"))?;
    let action = parameter(form, "Action").ok_or_else(|| bad("MissingAction", "Action is missing"))?;
    let version = parameter(form, "Version").unwrap_or_default();
    if action != OPERATION || version != VERSION {
        let message = format!("Could not find operation {action} for version {version}");
        return Err(bad("InvalidAction", message));
    }
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
    Ok((session, issuer.issue(Holder::Role)?))
}

fn success(session: &str, issued: &Issued, request_id: &str) -> String {
    let Issued { credentials, .. } = issued;
    format!(
        "<{OPERATION}Response xmlns=\"{NAMESPACE}\"><{OPERATION}Result>\
         <SubjectFromWebIdentityToken>sandbox-user</SubjectFromWebIdentityToken>\
         <Audience>sts.amazonaws.com</Audience>\
         <AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT_ID}:assumed-role/{ROLE_NAME}/{session}</Arn>\
         <AssumedRoleId>AROASANDBOXSANDBOXSAN:{session}</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         <Provider>sandbox.example.com</Provider>\
         </{OPERATION}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </{OPERATION}Response>",
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        issued.expiration_text(),
    )
}

fn refusal(fault: &Fault, request_id: &str) -> String {
    let kind = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        fault.code,
        escape(&fault.message),
    )
}

fn bad(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, code, message)
}

fn validation(value: &str, constraint: &str) -> Fault {
    let message = format!("1 validation error detected: {value} failed to satisfy constraint: {constraint}");
    bad("ValidationError", message)
}

/// Text for XML. Control characters, which XML cannot hold, are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            char if char.is_control() => {}
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_stays_text() {
        assert_eq!(escape("<a>&\u{1}"), "&lt;a&gt;&amp;");
    }
}
