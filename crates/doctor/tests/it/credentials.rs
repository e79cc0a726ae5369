//! Credentials that are wrong, damaged, expired or about to.

use std::fs;
use std::time::Duration;

use sandbox::Sandbox;
use testkit::openssl;

use crate::report::{Report, by_signature, device, doctor, signed, with_clock};

#[test]
fn keys_and_certificates_that_cannot_be_used() {
    let sandbox = Sandbox::start().unwrap();
    let other = sandbox.issue_device("other").unwrap();
    let own = sandbox.device();
    let (certificate, key) = (own.cert_file.display().to_string(), other.key_file.display().to_string());
    for (cert, key, words) in [
        (certificate.as_str(), key.as_str(), ["does not belong to", "hint:"]),
        (&certificate, "/nowhere/key.pem", ["/nowhere/key.pem", "hint:"]),
        ("/dev/null", &key, ["/dev/null", "empty"]),
    ] {
        let sample = doctor().mqtt(&sandbox).args(["--cert", cert, "--key", key]);
        // The rest of the way is examined without.
        Report::of(with_clock(sample, &sandbox), &sandbox)
            .has_failed(&["credentials"])
            .says("credentials", &words)
            .says("TCP", &["127.0.0.1"])
            .says("server certificate", &["CN=localhost"])
            .says("ALPN", &["not reached", "follows from the credentials"])
            .says("clock", &["as the server's"])
            .stopped("WebSocket", "credentials");
    }
    let file = own.pkcs12_file.display().to_string();
    let sample = doctor().mqtt(&sandbox).args(["--pkcs12-file", &file, "--pkcs12-password", "hunter2"]);
    Report::of(sample, &sandbox).has_failed(&["credentials"]).says("credentials", &["password", "hint:"]);
}

#[test]
fn a_client_certificate_that_ends_soon() {
    let sandbox = Sandbox::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    let line =
        "req -x509 -newkey rsa:2048 -nodes -days 10 -subj /CN=short-lived -out cert.pem -keyout key.pem";
    openssl(folder.path(), line);
    let sample = doctor().mqtt(&sandbox).args(["--cert", &cert, "--key", &key]);
    let report = Report::of(with_clock(sample, &sandbox), &sandbox).has_failed(&["CONNACK"]);
    let days = ["CN=short-lived", "RSA 2048", "expires in 9 days", "change:"];
    assert_eq!(report.sign("credentials"), "warn");
    report.says("credentials", &days).says("CONNACK", &["describe-certificate --certificate-id"]);
}

#[test]
fn aws_credentials_that_are_refused() {
    let sandbox = Sandbox::start().unwrap();
    let sample = || by_signature(&sandbox);
    Report::of(sample().credentials(sandbox.expired_credentials()), &sandbox)
        .has_failed(&["caller identity", "WebSocket"])
        .says("WebSocket", &["403", "hint:", "session token has expired"])
        .says("credentials", &[&sandbox.expired_credentials().access_key_id])
        .stopped("CONNACK", "WebSocket");
    Report::of(signed(&sandbox).env("AWS_SECRET_ACCESS_KEY", "hunter2"), &sandbox)
        .has_failed(&["caller identity", "WebSocket"])
        .says("WebSocket", &["403", "signature", "hint:", "secret access key"])
        .stopped("CONNACK", "WebSocket");
    let report = Report::of(signed(&sandbox).without_env("AWS_SESSION_TOKEN"), &sandbox);
    assert_eq!(report.sign("credentials"), "warn");
    report
        .has_failed(&["caller identity", "WebSocket"])
        .says("credentials", &["ASIA", "session token is missing"]);
    Report::of(sample(), &sandbox)
        .has_failed(&["credentials"])
        .says("credentials", &["no AWS credentials from the default chain", "hint:"])
        .says("TLS", &["TLSv1.3"])
        .stopped("WebSocket", "credentials");
}

#[test]
fn an_endpoint_without_a_scheme_is_told_and_no_token_is_shown() {
    let sandbox = Sandbox::start().unwrap();
    let sts = sandbox.sts();
    let token = fs::read_to_string(&sts.web_identity_token_file).unwrap();
    let sample = || {
        by_signature(&sandbox)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &sts.web_identity_token_file)
            .env("AWS_ROLE_ARN", &sts.role_arn)
            .env("AWS_ENDPOINT_URL_STS", "localhost:1")
    };
    let told = ["AWS_ENDPOINT_URL_STS \"localhost:1\" has no scheme: write https://localhost:1", "hint:"];
    Report::of(sample(), &sandbox).has_failed(&["credentials"]).says("credentials", &told);
    for sample in [sample(), sample().args(["--json"])] {
        let outcome = sample.env("RUST_LOG", "trace").run();
        assert!(outcome.stdout.contains("has no scheme: write https://localhost:1"), "{outcome:#?}");
        let output = outcome.stdout + &outcome.stderr;
        assert!(!output.contains(token.trim()) && !output.contains("HttpRequest"), "{output}");
    }
    assert!(sandbox.credential_requests().is_empty());
}

#[test]
fn a_damaged_variable_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let id = format!("{}\r", sandbox.credentials().access_key_id);
    Report::of(signed(&sandbox).env("AWS_ACCESS_KEY_ID", id), &sandbox)
        .has_failed(&["credentials"])
        .says("credentials", &["AWS_ACCESS_KEY_ID ends with a carriage return", "hint:"]);
}

#[test]
fn credentials_that_end_soon() {
    let sandbox = Sandbox::builder().credentials_lifetime(Duration::from_secs(600)).start().unwrap();
    let cognito = sandbox.cognito();
    let sample = by_signature(&sandbox);
    let sample = sample.args(["--cognito-identity", &cognito.identity_id]);
    Report::of(sample.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint), &sandbox)
        .works_with_warnings_of(&["credentials"])
        .says("credentials", &["expire in 9 minutes", "renews"]);
}

#[test]
fn a_custom_authorizer_that_says_no() {
    let sandbox = Sandbox::start().unwrap();
    let unsigned = &sandbox.authorizers().unsigned;
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "hunter2").unwrap();
    let sample = doctor().https(&sandbox).args(["--authorizer-name", &unsigned.name]);
    let sample = sample.args(["--auth-username", &unsigned.username]);
    let file = password.path().display().to_string();
    Report::of(sample.args(["--auth-password-file", &file]), &sandbox)
        .has_failed(&["CONNACK"])
        .says("CONNACK", &["0x87", "hint:", "describe-authorizer"])
        .stopped("subscribe", "CONNACK");
    // Port 8883 takes certificates only.
    let sample = doctor().args(["--endpoint", "localhost", "--port", "8883", "--auth-username", "u"]);
    let ca_file = sandbox.ca_file().display().to_string();
    Report::of(sample.args(["--ca-file", &ca_file]), &sandbox)
        .says("endpoint", &["port 8883 is for client certificates only"])
        .stopped("WebSocket", "endpoint");
}

#[test]
fn a_topic_and_a_client_id_of_ones_own() {
    let sandbox = Sandbox::start().unwrap();
    Report::of(device(&sandbox).args(["--topic", "test/topic", "--client-id", "test-own"]), &sandbox)
        .works_with_warnings_of(&[])
        .says("CONNACK", &["test-own"]);
}
