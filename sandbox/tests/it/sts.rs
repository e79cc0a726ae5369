//! AWS STS: a role for a web identity.

use sandbox::{CredentialOutcome, Principal, Sandbox};
use serde_json::json;

use crate::support::services::{credentials, in_an_hour, last_outcome, post};
use crate::support::signed::connack;
use crate::support::start;
use crate::support::tls::{Answer, http, text};

/// The form that is accepted.
fn form(sandbox: &Sandbox) -> String {
    let sts = sandbox.sts();
    format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName=test-session\
         &WebIdentityToken={}",
        sts.role_arn.replace(':', "%3A").replace('/', "%2F"),
        text(&sts.web_identity_token_file),
    )
}

fn call(sandbox: &Sandbox, form: &str) -> Answer {
    post(sandbox, "Content-Type: application/x-www-form-urlencoded\r\n", form)
}

/// The text of the first element of that name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[test]
fn the_role_is_assumed_with_the_token() {
    let sandbox = start();
    let answer = call(&sandbox, &form(&sandbox));
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml"), "{answer:?}");
    let value = |name| element(&answer.body, name);
    assert!(in_an_hour(value("Expiration")));
    assert_eq!(value("Arn"), "arn:aws:sts::123456789012:assumed-role/sandbox-role/test-session");
    let names = ["AccessKeyId", "SecretAccessKey", "SessionToken"];
    let [id, secret, token] = names.map(value);
    let json = json!({ "AccessKeyId": id, "SecretAccessKey": secret, "SessionToken": token });
    let credentials = credentials(&sandbox, &json, names);
    assert_eq!(connack(&sandbox, &credentials, "role"), 0);
    assert_eq!(sandbox.connections()[0].principal, Principal::Role);
}

#[test]
fn refusals_are_those_of_aws() {
    let sandbox = start();
    let right = form(&sandbox);
    let token = text(&sandbox.sts().web_identity_token_file);
    let cases = [
        (right.replace(&token, "wrong"), 400, "InvalidIdentityToken"),
        (right.replace("sandbox-role", "other-role"), 403, "AccessDenied"),
        (right.replace("RoleArn", "Arn"), 400, "ValidationError"),
        (right.replace("test-session", "%3Cx%3E"), 400, "ValidationError"),
        (format!("{right}&DurationSeconds=60"), 400, "ValidationError"),
        (format!("{right}&WebIdentityToken=x"), 400, "ValidationError"),
        (right.replace("Action=AssumeRoleWithWebIdentity", "Action=GetCallerIdentity"), 400, "InvalidAction"),
        (right.replace("2011-06-15", "2010-01-01"), 400, "InvalidAction"),
        (String::new(), 400, "MissingAction"),
    ];
    for (form, status, code) in cases {
        let answer = call(&sandbox, &form);
        assert_eq!((answer.status, element(&answer.body, "Code")), (status, code), "{answer:?}");
        assert!(!element(&answer.body, "Message").contains(['<', '>']), "{answer:?}");
        assert_eq!(element(&answer.body, "Type"), "Sender");
        let refused = CredentialOutcome::Refused { status, error: code.to_owned() };
        assert_eq!(last_outcome(&sandbox), refused);
    }
}

#[test]
fn a_body_that_is_too_long_is_not_waited_for() {
    let sandbox = start();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n";
    assert_eq!(http(&sandbox, head).status, 413);
}
