//! AWS STS: a role for a web identity, and whose credentials a call is signed with.

use jiff::SignedDuration;
use sandbox::{CredentialOutcome, Credentials, Principal, Sandbox};
use serde_json::{Value, json};

use crate::support::services::{credentials, element, get, in_an_hour, last_outcome, post};
use crate::support::signed::connack;
use crate::support::signer::CallSigner;
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

/// The credentials in an answer.
fn assumed(sandbox: &Sandbox, answer: &Answer) -> Credentials {
    let names = ["AccessKeyId", "SecretAccessKey", "SessionToken"];
    let [id, secret, token] = names.map(|name| element(&answer.body, name));
    let json = json!({ "AccessKeyId": id, "SecretAccessKey": secret, "SessionToken": token });
    credentials(sandbox, &json, names)
}

#[test]
fn the_role_is_assumed_with_the_token() {
    let sandbox = start();
    let answer = call(&sandbox, &form(&sandbox));
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml"), "{answer:?}");
    let value = |name| element(&answer.body, name);
    assert!(in_an_hour(value("Expiration")));
    assert_eq!(value("Arn"), "arn:aws:sts::123456789012:assumed-role/sandbox-role/test-session");
    let credentials = assumed(&sandbox, &answer);
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
        (right.replace("Action=AssumeRoleWithWebIdentity", "Action=GetSessionToken"), 400, "InvalidAction"),
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
fn the_role_is_assumed_with_credentials() {
    let sandbox = start();
    let form = form(&sandbox).replace("AssumeRoleWithWebIdentity", "AssumeRole");
    let asked = |form: &str| CallSigner { body: form.to_owned(), ..CallSigner::new(&sandbox) }.send(&sandbox);
    let answer = asked(&form);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(in_an_hour(element(&answer.body, "Expiration")));
    let arn = element(&answer.body, "Arn");
    assert_eq!(arn, "arn:aws:sts::123456789012:assumed-role/sandbox-role/test-session");
    assert_eq!(connack(&sandbox, &assumed(&sandbox, &answer), "role"), 0);
    for (answer, status, code) in [
        (asked(&form.replace("sandbox-role", "other-role")), 403, "AccessDenied"),
        (asked(&form.replace("RoleSessionName", "Name")), 400, "ValidationError"),
        (call(&sandbox, &form), 403, "MissingAuthenticationToken"),
    ] {
        assert_eq!((answer.status, element(&answer.body, "Code")), (status, code), "{answer:?}");
    }
}

#[test]
fn a_body_that_is_too_long_is_not_waited_for() {
    let sandbox = start();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n";
    assert_eq!(http(&sandbox, head).status, 413);
}

#[test]
fn credentials_of_each_kind_have_an_owner() {
    let sandbox = start();
    let role = assumed(&sandbox, &call(&sandbox, &form(&sandbox)));
    let cognito = |identity: &str, logins: Value| {
        let headers = "X-Amz-Target: AWSCognitoIdentityService.GetCredentialsForIdentity\r\n";
        let body = json!({ "IdentityId": identity, "Logins": logins });
        let answer = post(&sandbox, headers, &body.to_string()).json();
        credentials(&sandbox, &answer["Credentials"], ["AccessKeyId", "SecretKey", "SessionToken"])
    };
    let facts = sandbox.cognito();
    let guest = cognito(&facts.identity_id, json!({}));
    let login = json!({ &facts.login_provider: facts.login_token });
    let user = cognito(&facts.authenticated_identity_id, login);
    let target = format!("/role-aliases/{}/credentials", sandbox.credentials_provider().role_alias);
    let answer = get(&sandbox, Some(sandbox.device()), &target, "").json();
    let names = ["accessKeyId", "secretAccessKey", "sessionToken"];
    let device = credentials(&sandbox, &answer["credentials"], names);

    let sts = "arn:aws:sts::123456789012:assumed-role";
    for (credentials, arn) in [
        (sandbox.credentials(), "arn:aws:iam::123456789012:user/sandbox-user".to_owned()),
        (&role, format!("{sts}/sandbox-role/test-session")),
        (&guest, format!("{sts}/Cognito_sandboxUnauth_Role/CognitoIdentityCredentials")),
        (&user, format!("{sts}/Cognito_sandboxAuth_Role/CognitoIdentityCredentials")),
        (&device, format!("{sts}/sandbox-role/{}", certificate_id(&sandbox))),
    ] {
        let signer = CallSigner { credentials: credentials.clone(), ..CallSigner::new(&sandbox) };
        let answer = signer.send(&sandbox);
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml"), "{answer:?}");
        assert_eq!(element(&answer.body, "Arn"), arn);
        assert_eq!(element(&answer.body, "Account"), sandbox.account_id());
        // Of a session it ends with the session's name (IAM user guide, "Unique identifiers").
        let session = arn.rsplit_once('/').filter(|_| arn.contains(":sts:")).map(|(_, session)| session);
        let user_id = element(&answer.body, "UserId");
        assert_eq!(user_id.split_once(':').map(|(_, session)| session), session, "{user_id}");
        assert_eq!(last_outcome(&sandbox), CredentialOutcome::Answered);
    }
}

/// As AWS IoT names certificates.
fn certificate_id(sandbox: &Sandbox) -> String {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use sha2::{Digest, Sha256};

    let certificate = CertificateDer::from_pem_file(&sandbox.device().cert_file).unwrap();
    hex::encode(Sha256::digest(certificate))
}

#[test]
fn a_caller_without_a_valid_signature_is_told_why() {
    let sandbox = start();
    let right = || CallSigner::new(&sandbox);
    let with = |change: fn(&mut Credentials)| {
        let mut signer = right();
        change(&mut signer.credentials);
        signer
    };
    let earlier = right().time - SignedDuration::from_secs(301);
    let later = right().time + SignedDuration::from_secs(360);
    for (signer, status, code, words) in [
        (with(|keys| keys.secret_access_key.push('x')), 403, "SignatureDoesNotMatch", "we calculated"),
        (with(|keys| keys.access_key_id.push('X')), 403, "InvalidClientTokenId", "token included"),
        (with(|keys| keys.session_token.push('x')), 403, "InvalidClientTokenId", "is invalid"),
        (with(|keys| keys.session_token.clear()), 403, "InvalidClientTokenId", "is invalid"),
        (
            CallSigner { credentials: sandbox.expired_credentials().clone(), ..right() },
            403,
            "ExpiredToken",
            "is expired",
        ),
        (CallSigner { time: earlier, ..right() }, 403, "SignatureDoesNotMatch", "Signature expired: "),
        (CallSigner { time: later, ..right() }, 403, "SignatureDoesNotMatch", "not yet current"),
        (CallSigner { region: "eu-west-1".to_owned(), ..right() }, 403, "SignatureDoesNotMatch", "region"),
        (CallSigner { service: "iam".to_owned(), ..right() }, 403, "SignatureDoesNotMatch", "service: 'sts'"),
    ] {
        let answer = signer.send(&sandbox);
        assert_eq!((answer.status, element(&answer.body, "Code")), (status, code), "{answer:?}");
        assert!(element(&answer.body, "Message").contains(words), "{answer:?}");
        let refused = CredentialOutcome::Refused { status, error: code.to_owned() };
        assert_eq!(last_outcome(&sandbox), refused);
    }
}

#[test]
fn a_signature_covers_the_body_and_the_headers() {
    let sandbox = start();
    let signer = CallSigner::new(&sandbox);
    let (headers, body) = (signer.headers(), CallSigner::BODY);
    let token = format!("X-Amz-Security-Token: {}\r\n", signer.credentials.session_token);
    let host = format!("localhost:{}", sandbox.https_port());
    for (headers, body, host, code) in [
        (headers.clone(), body.to_owned(), host.as_str(), None),
        (headers.clone(), format!("{body}&DurationSeconds=900"), &host, Some("SignatureDoesNotMatch")),
        (headers.clone(), body.to_owned(), "localhost", Some("SignatureDoesNotMatch")),
        (headers.replace(";x-amz-security-token", ""), body.to_owned(), &host, Some("SignatureDoesNotMatch")),
        (headers.replace(&token, ""), body.to_owned(), &host, Some("SignatureDoesNotMatch")),
        (format!("{headers}X-Amz-Meta: x\r\n"), body.to_owned(), &host, Some("SignatureDoesNotMatch")),
        (format!("{headers}{token}"), body.to_owned(), &host, Some("IncompleteSignature")),
        (headers.replace("Credential=", "Credentials="), body.to_owned(), &host, Some("IncompleteSignature")),
        (headers.replace("Signature=", "Signed="), body.to_owned(), &host, Some("IncompleteSignature")),
        (headers.replace("Headers=host;", "Headers="), body.to_owned(), &host, Some("IncompleteSignature")),
        (headers.replace("AWS4-", "AWS3-"), body.to_owned(), &host, Some("IncompleteSignature")),
        (headers.replace("X-Amz-Date", "X-Date"), body.to_owned(), &host, Some("IncompleteSignature")),
        (String::new(), body.to_owned(), &host, Some("MissingAuthenticationToken")),
    ] {
        let length = body.len();
        let request =
            format!("POST / HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        let answer = http(&sandbox, &request);
        let told = (answer.status != 200).then(|| element(&answer.body, "Code"));
        assert_eq!(told, code, "{request} {answer:?}");
    }
}
