//! The sample against a sandbox, and what AWS's refusals of a signature look like.

use std::fs;
use std::path::Path;

use sandbox::{Credentials, Principal, Sandbox};
use testkit::{Sample, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");

fn sigv4_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--region", sandbox.region()])
}

fn flags(credentials: &Credentials) -> [&str; 6] {
    [
        "--access-key",
        &credentials.access_key_id,
        "--secret",
        &credentials.secret_access_key,
        "--session-token",
        &credentials.session_token,
    ]
}

#[test]
fn connects_with_keys_from_flags_and_from_the_environment() {
    let sandbox = Sandbox::start().unwrap();
    let credentials = sandbox.credentials();
    let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.https_port());
    for sample in [
        sigv4_connect(&sandbox).args(flags(credentials)),
        sigv4_connect(&sandbox).credentials(credentials),
        sigv4_connect(&sandbox).credentials(credentials).args(["--credential-source", "environment"]),
        // The names of the official samples.
        sigv4_connect(&sandbox)
            .args(["--access_key_id", &credentials.access_key_id])
            .args(["--secret_access_key", &credentials.secret_access_key])
            .args(["--session_token", &credentials.session_token]),
    ] {
        let outcome = sample.args(["--client-id", "test-1"]).run().succeeded();
        assert_eq!(outcome.stdout, expected);
        assert_eq!(outcome.stderr, "");
    }
    let connections = sandbox.connections();
    assert_eq!(connections.len(), 4);
    assert!(connections.iter().all(|connection| connection.protocol_level == Some(5)));
    assert!(connections.iter().all(|connection| connection.amz_date.is_some()));
}

#[test]
fn secrets_come_from_files_and_the_environment_too() {
    let sandbox = Sandbox::start().unwrap();
    let keys = sandbox.credentials();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, secret: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("{secret}\n")).unwrap();
        path.display().to_string()
    };
    let secret_file = file("secret", &keys.secret_access_key);
    let token_file = file("token", &keys.session_token);
    let sample = || sigv4_connect(&sandbox).args(["--access-key", &keys.access_key_id]);
    let in_files = ["--secret-file", &secret_file, "--session-token-file", &token_file];
    sample().args(in_files).run().succeeded();
    // Whatever key the environment names: these are complete.
    sample().args(in_files).credentials(sandbox.expired_credentials()).run().succeeded();

    sample().credentials(keys).run().succeeded();
    let other = sample().credentials(sandbox.expired_credentials());
    other.run().failed(2, &["belongs to another access key", "AWS_ACCESS_KEY_ID"]);
    // The environment's token belongs to the environment's secret.
    let mixed = sample().credentials(keys).args(["--secret-file", &secret_file]);
    mixed.run().failed(1, &["HTTP 403", "token", "hint:"]);
    let missing = sample().args(["--secret-file", "missing-file"]);
    missing.run().failed(1, &["cannot read the secret access key missing-file", "hint:"]);
}

#[test]
fn cognito_and_the_iot_credentials_provider_are_sources() {
    let sandbox = Sandbox::start().unwrap();
    let (cognito, provider) = (sandbox.cognito(), sandbox.credentials_provider());
    let with_cognito = || sigv4_connect(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint);
    with_cognito().args(["--cognito-identity", &cognito.identity_id]).run().succeeded();
    let pool = ["--credential-source", "cognito", "--cognito-identity-pool", &cognito.identity_pool_id];
    with_cognito().args(pool).run().succeeded();
    with_cognito().args(&pool[..2]).run().failed(2, &["--cognito-identity-pool"]);

    let device = sandbox.device();
    let x509 = sigv4_connect(&sandbox)
        .args(["--x509-endpoint", &provider.endpoint, "--x509-role-alias", &provider.role_alias])
        .args(["--x509-cert".as_ref(), device.cert_file.as_os_str()])
        .args(["--x509-key".as_ref(), device.key_file.as_os_str()]);
    x509.run().succeeded();
    let half = ["--credential-source", "x509", "--x509-endpoint", &provider.endpoint];
    sigv4_connect(&sandbox).args(half).run().failed(2, &["--x509-role-alias is needed"]);
}

#[test]
fn wrong_keys_and_tokens() {
    let sandbox = Sandbox::start().unwrap();
    let good = sandbox.credentials();
    let run = |access_key: &str, secret: &str, token: &str| {
        sigv4_connect(&sandbox)
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_SESSION_TOKEN", token)
            .run()
    };
    let (key, secret, token) = (&good.access_key_id, &good.secret_access_key, &good.session_token);
    run(key, "wrong", token).failed(1, &["HTTP 403", "ForbiddenException", "signature", "hint:", "secret"]);
    run("ASIAUNKNOWN", secret, token).failed(1, &["HTTP 403", "hint:"]);
    run(key, secret, "wrong").failed(1, &["HTTP 403", "token", "hint:"]);
    run(key, secret, "").failed(1, &["HTTP 403", "token", "hint:"]);
    let expired = sandbox.expired_credentials();
    sigv4_connect(&sandbox).credentials(expired).run().failed(1, &["HTTP 403", "expired", "hint:"]);
    let region = ["--region", "eu-west-1"];
    let elsewhere = Sample::new(BINARY).https(&sandbox).args(region).credentials(good).run();
    elsewhere.failed(1, &["HTTP 403", "region", "hint:"]);
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    for (offset, word) in [(600, "slow"), (-600, "fast")] {
        let sandbox = Sandbox::builder().clock_offset_seconds(offset).start().unwrap();
        let outcome = sigv4_connect(&sandbox).credentials(sandbox.credentials()).run();
        outcome.failed(1, &["HTTP 403", "hint:", "clock", "10 minutes", word]);
    }
    let sandbox = Sandbox::builder().clock_offset_seconds(200).start().unwrap();
    sigv4_connect(&sandbox).credentials(sandbox.credentials()).run().succeeded();
}

#[test]
fn a_region_that_contradicts_the_endpoint_is_a_usage_error_with_both() {
    let endpoint = "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com";
    let sample = Sample::new(BINARY).args(["--endpoint", endpoint, "--region", "us-east-1"]);
    sample.run().failed(2, &["--region", "us-east-1", "eu-west-1", "--endpoint"]);
    Sample::new(BINARY).args(["--endpoint", "localhost"]).run().failed(2, &["--region", "AWS_REGION"]);
    let half = Sample::new(BINARY).args(["--endpoint", endpoint, "--access-key", "AKID"]);
    half.run().failed(2, &["--secret"]);
}

#[test]
fn no_secret_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let good = sandbox.credentials();
    let wrong = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    for (secret, exit) in [(good.secret_access_key.as_str(), 0), (wrong, 1)] {
        let sample = sigv4_connect(&sandbox)
            .args(["--access-key", &good.access_key_id, "--secret", secret])
            .args(["--session-token", &good.session_token, "--verbose"])
            .env("RUST_LOG", "trace");
        let outcome = sample.run();
        assert_eq!(outcome.code, Some(exit), "{outcome:#?}");
        assert!(outcome.stderr.contains("TRACE") || outcome.stderr.contains("DEBUG"), "there are logs");
        let output = outcome.stdout + &outcome.stderr;
        // A signature lets its reader connect for five minutes.
        for hidden in [secret, &good.session_token, "X-Amz-Signature"] {
            assert!(!output.contains(hidden), "{hidden} in {output}");
        }
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    policy::is_sufficient_and_minimal(&sandbox, Principal::Iam, "sigv4_connect", || {
        sigv4_connect(&sandbox).credentials(sandbox.credentials()).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "sigv4_websocket_connect", BINARY, &sandbox);
}
