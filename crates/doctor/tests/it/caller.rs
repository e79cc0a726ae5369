//! Whose AWS credentials these are: what STS says, refuses, or is not reached to say.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use sandbox::{CredentialEndpoint, Sandbox};
use serde_json::Value;
use testkit::Sample;

use crate::report::{Report, by_signature, device, doctor, no_secrets, signed};

const ROLE: &str = "arn:aws:sts::123456789012:assumed-role";

/// With credentials that the sandbox gives for its web identity.
fn web_identity(sandbox: &Sandbox) -> Sample {
    let sts = sandbox.sts();
    by_signature(sandbox)
        .args(["--auth", "sigv4"])
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &sts.web_identity_token_file)
        .env("AWS_ROLE_ARN", &sts.role_arn)
        .env("AWS_ROLE_SESSION_NAME", "test-session")
}

fn cognito(sandbox: &Sandbox) -> Sample {
    let cognito = sandbox.cognito();
    let sample = by_signature(sandbox).args(["--cognito-identity", &cognito.identity_id]);
    sample.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint)
}

#[test]
fn credentials_of_each_kind_are_somebodys() {
    let sandbox = Sandbox::start().unwrap();
    let (facts, device) = (sandbox.cognito(), sandbox.device());
    let login = tempfile::NamedTempFile::new().unwrap();
    fs::write(login.path(), &facts.login_token).unwrap();
    let login = format!("{}={}", facts.login_provider, login.path().display());
    let user = by_signature(&sandbox)
        .args(["--cognito-identity", &facts.authenticated_identity_id, "--login-file", &login])
        .env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &facts.endpoint);
    let provider = sandbox.credentials_provider();
    let [cert, key] = [&device.cert_file, &device.key_file].map(|file| file.display().to_string());
    let by_certificate = by_signature(&sandbox)
        .args(["--x509-endpoint", &provider.endpoint, "--x509-role-alias", &provider.role_alias])
        .args(["--x509-cert", &cert, "--x509-key", &key]);
    let metadata = sandbox.metadata();
    let container = by_signature(&sandbox)
        .args(["--auth", "sigv4"])
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token);
    for (sample, arn) in [
        (signed(&sandbox), "arn:aws:iam::123456789012:user/sandbox-user".to_owned()),
        (web_identity(&sandbox), format!("{ROLE}/sandbox-role/test-session")),
        (cognito(&sandbox), format!("{ROLE}/Cognito_sandboxUnauth_Role/CognitoIdentityCredentials")),
        (user, format!("{ROLE}/Cognito_sandboxAuth_Role/CognitoIdentityCredentials")),
        (by_certificate, format!("{ROLE}/sandbox-role/")),
        (container, format!("{ROLE}/sandbox-role/0123456789abcdef")),
    ] {
        let report = Report::of(sample, &sandbox).works_with_warnings_of(&[]);
        assert_eq!(report.sign("caller identity"), "ok");
        report.says("caller identity", &[&arn, "account 123456789012"]);
    }
}

#[test]
fn credentials_that_no_service_would_take() {
    let sandbox = Sandbox::start().unwrap();
    let unknown = signed(&sandbox).env("AWS_ACCESS_KEY_ID", "ASIAUNKNOWNUNKNOWN23");
    let permanent =
        signed(&sandbox).env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWNUNKNOWN23").without_env("AWS_SESSION_TOKEN");
    for (sample, words) in [
        (
            signed(&sandbox).env("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ["SignatureDoesNotMatch", "the secret access key is not the one", "cut-off end"],
        ),
        (unknown, ["InvalidClientTokenId", "session token is not the one", "all three parts"]),
        (permanent, ["InvalidClientTokenId", "does not know the access key ID AKIAUN", "list-access-keys"]),
        (
            by_signature(&sandbox).credentials(sandbox.expired_credentials()),
            ["ExpiredToken", "have expired", "get new ones"],
        ),
        (
            signed(&sandbox).env("AWS_ACCESS_KEY_ID", "ASIA/UNKNOWN"),
            ["IncompleteSignature", "cannot be an access key", "blanks"],
        ),
    ] {
        Report::of(sample, &sandbox)
            .has_failed(&["caller identity", "WebSocket"])
            .says("caller identity", &["AWS STS refuses the credentials", "no permission is missing"])
            .says("caller identity", &words)
            // What AWS IoT Core says of them is asked all the same.
            .says("WebSocket", &["403", "AWS STS refuses the same credentials", "not a permission"])
            .stopped("CONNACK", "WebSocket");
    }
}

#[test]
fn right_credentials_that_the_endpoint_refuses() {
    let (own, foreign) = (Sandbox::start().unwrap(), Sandbox::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.pem");
    let roots = [&own, &foreign].map(|sandbox| fs::read_to_string(sandbox.ca_file()).unwrap());
    fs::write(&both, roots.concat()).unwrap();
    let port = foreign.https_port().to_string();
    let sample = doctor()
        .args(["--endpoint", "localhost", "--port", &port, "--ca-file", &both.display().to_string()])
        .args(["--region", own.region(), "--client-id", "test-1"])
        .credentials(own.credentials())
        .env("AWS_ENDPOINT_URL_STS", &own.sts().endpoint);
    let arn = "arn:aws:iam::123456789012:user/sandbox-user";
    Report::of(sample, &own)
        .has_failed(&["WebSocket"])
        .says("caller identity", &[arn])
        .says("WebSocket", &["403", "key, secret and session token are right", "the endpoint is another"])
        .says("WebSocket", &[&format!("let a policy of {arn} allow iot:Connect on client/test-1")]);
}

#[test]
fn right_credentials_without_a_permission() {
    let sandbox = Sandbox::start().unwrap();
    Report::of(cognito(&sandbox).args(["--client-id", "other-1"]), &sandbox)
        .has_failed(&["CONNACK"])
        .says("CONNACK", &["the credentials are right", "Cognito_sandboxUnauth_Role"])
        .says("CONNACK", &["change:", "allow iot:Connect on client/other-1"]);
}

#[test]
fn where_there_is_nobody_to_ask_about_or_no_way_to_ask() {
    let sandbox = Sandbox::start().unwrap();
    let untrusting = doctor()
        .args(["--endpoint", "localhost", "--port", &sandbox.https_port().to_string()])
        .args(["--region", sandbox.region(), "--ca-file", "/nowhere/ca.pem"])
        .credentials(sandbox.credentials())
        .env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint);
    for (sample, words) in [
        (device(&sandbox), "not used: AWS STS knows AWS credentials only"),
        (doctor().https(&sandbox), "not reached: there are no credentials"),
        (by_signature(&sandbox), "not reached: credentials failed"),
        (
            by_signature(&sandbox).args(["--access-key", "AKIA", "--secret-file", "/nowhere/key"]),
            "not reached: credentials failed",
        ),
        (signed(&sandbox).env("HTTPS_PROXY", "gopher://a.example"), "not reached: proxy failed"),
        (untrusting, "not reached: trust failed"),
    ] {
        let report = Report::of(sample, &sandbox);
        assert_eq!(report.sign("caller identity"), "-");
        report.says("caller identity", &[words]);
    }
    assert!(sandbox.credential_requests().is_empty());
}

#[test]
fn an_sts_that_nobody_listens_for() {
    let sandbox = Sandbox::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = listener.local_addr().unwrap().port();
    drop(listener);
    let sample = signed(&sandbox).env("AWS_ENDPOINT_URL_STS", format!("https://localhost:{closed}"));
    let words = ["does not say whose", "refused", "interface endpoint for STS", "us-east-1"];
    Report::of(sample, &sandbox).works_with_warnings_of(&["caller identity"]).says("caller identity", &words);
    // An answer that says nothing of the credentials: another service is there.
    let sample = signed(&sandbox).env("AWS_ENDPOINT_URL_STS", format!("{}/mqtt", sandbox.sts().endpoint));
    Report::of(sample, &sandbox).works_with_warnings_of(&["caller identity"]);
}

#[test]
#[cfg(target_os = "linux")]
fn an_sts_in_a_black_hole_costs_seconds() {
    let sandbox = Sandbox::start().unwrap();
    let hole = testkit::BlackHole::open();
    let silent = format!("https://localhost:{}", hole.port());
    let began = Instant::now();
    // The limit of the other checks is half a minute.
    Report::of(signed(&sandbox).env("AWS_ENDPOINT_URL_STS", &silent), &sandbox)
        .works_with_warnings_of(&["caller identity"])
        .says("caller identity", &["does not say whose", "no connect within"]);
    assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
    let sample = signed(&sandbox).env("AWS_ENDPOINT_URL_STS", &silent).args(["--connect-timeout", "1"]);
    Report::of(sample, &sandbox).says("caller identity", &["no answer within 1 s"]);
}

#[test]
fn sts_is_asked_through_the_proxy_and_by_either_variable() {
    let sandbox = Sandbox::start().unwrap();
    let target = format!("localhost:{}", sandbox.https_port());
    let sample = by_signature(&sandbox).without_env("AWS_ENDPOINT_URL_STS");
    let sample = sample.credentials(sandbox.credentials()).args(["--proxy", &sandbox.proxies().http]);
    Report::of(sample.env("AWS_ENDPOINT_URL", &sandbox.sts().endpoint), &sandbox)
        .works_with_warnings_of(&[])
        .says("caller identity", &["user/sandbox-user"]);
    // TCP, TLS, the clock, STS, the connection.
    let targets: Vec<_> = sandbox.proxied().into_iter().map(|one| one.target).collect();
    assert_eq!(targets, vec![target; 5]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_sandboxs_credentials_are_not_sent_to_aws() {
    let sandbox = Sandbox::start().unwrap();
    let sample = signed(&sandbox).without_env("AWS_ENDPOINT_URL_STS");
    let (outcome, capture) = sample.run_captured();
    let told = "-     caller identity     not asked: the endpoint is on this machine";
    assert!(outcome.succeeded().stdout.contains(told));
    assert!(sandbox.credential_requests().is_empty());
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, sandbox.https_port()));
    for contact in capture.contacts() {
        let testkit::Contact::Internet(address) = contact else { continue };
        assert!(address.ip().is_loopback(), "{:?}", capture.contacts());
    }
    assert!(capture.contacts().contains(&testkit::Contact::Internet(own)));
}

#[test]
fn a_setting_that_keeps_sts_from_being_asked_is_named() {
    let sandbox = Sandbox::start().unwrap();
    for (variable, value, words) in [
        ("AWS_ENDPOINT_URL_STS", "localhost:1", "AWS_ENDPOINT_URL_STS \"localhost:1\" has no scheme"),
        ("AWS_MAX_ATTEMPTS", "many", "AWS_MAX_ATTEMPTS \"many\" is not a number"),
    ] {
        Report::of(signed(&sandbox).env(variable, value), &sandbox)
            .works_with_warnings_of(&["caller identity"])
            .says("caller identity", &["AWS STS cannot be asked", words, "correct that setting"]);
    }
    // Empty ones count as unset.
    let sample =
        signed(&sandbox).env("AWS_ENDPOINT_URL", &sandbox.sts().endpoint).env("AWS_MAX_ATTEMPTS", "");
    Report::of(sample.env("AWS_ENDPOINT_URL_STS", ""), &sandbox)
        .works_with_warnings_of(&[])
        .says("caller identity", &["user/sandbox-user"]);
}

#[test]
fn json_tells_it_too() {
    let sandbox = Sandbox::start().unwrap();
    for (sample, outcome, words) in [
        (signed(&sandbox), "ok", "arn:aws:iam::123456789012:user/sandbox-user"),
        (signed(&sandbox).env("AWS_SECRET_ACCESS_KEY", "hunter2"), "failed", "SignatureDoesNotMatch"),
    ] {
        let ran = sample.args(["--json"]).env("RUST_LOG", "trace").run();
        no_secrets(&ran, &sandbox);
        let mut lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.find(|line| line["check"] == "caller identity").unwrap();
        assert_eq!(line["outcome"], outcome);
        assert!(line["finding"].as_str().unwrap().contains(words), "{line}");
        let is_explained = line["advice"][0]["means"].as_str().is_some();
        assert_eq!(is_explained, outcome == "failed", "{line}");
    }
    let asked = sandbox.credential_requests();
    assert!(asked.iter().all(|asked| asked.endpoint == CredentialEndpoint::Sts) && asked.len() == 2);
}
