//! Values of variables, flags and files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use sandbox::Sandbox;
use testkit::Sample;

use crate::support::{BINARY, cognito, hides, refuses, sigv4_connect, web_identity};

#[test]
fn an_empty_number_of_attempts_counts_as_unset_and_another_text_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = || cognito(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint);
    cognito().env("AWS_MAX_ATTEMPTS", "").env("AWS_RETRY_MODE", "").run().succeeded();
    for (variable, value) in
        [("AWS_MAX_ATTEMPTS", "0"), ("AWS_MAX_ATTEMPTS", "many"), ("AWS_RETRY_MODE", "hard")]
    {
        refuses(&sandbox, cognito().env(variable, value), &[&format!("{variable} \"{value}\" is n")]);
    }
}

#[test]
fn a_damaged_variable_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let keys = sandbox.credentials();
    let sample = || sigv4_connect(&sandbox).credentials(keys);
    for (variable, value, problem) in [
        ("AWS_ACCESS_KEY_ID", format!("{}\r", keys.access_key_id), "ends with a carriage return"),
        ("AWS_SECRET_ACCESS_KEY", format!("{}\r", keys.secret_access_key), "ends with a carriage return"),
        ("AWS_SESSION_TOKEN", format!("{}\n", keys.session_token), "holds a line feed"),
        ("AWS_ACCESS_KEY_ID", format!("\"{}\"", keys.access_key_id), "is in quotation marks"),
        ("AWS_SECRET_ACCESS_KEY", format!("'{}'", keys.secret_access_key), "is in quotation marks"),
        ("AWS_SESSION_TOKEN", format!("{} ", keys.session_token), "holds a blank"),
    ] {
        let words = format!("{variable} {problem}");
        refuses(&sandbox, sample().env(variable, &value), &[&words]);
        refuses(
            &sandbox,
            sample().args(["--credential-source", "environment"]).env(variable, &value),
            &[&words],
        );
    }
    let not_utf_8 = OsStr::from_bytes(b"\xffdev");
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        let words = format!("{variable} is not UTF-8");
        refuses(&sandbox, sample().env(variable, not_utf_8), &[&words]);
    }
    let without_key = || sigv4_connect(&sandbox);
    for variable in [
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_EXECUTION_ENV",
        "HOME",
    ] {
        refuses(&sandbox, without_key().env(variable, not_utf_8), &[&format!("{variable} is not UTF-8")]);
    }
    let endpoint = web_identity(&sandbox).env("AWS_ENDPOINT_URL_STS", not_utf_8);
    refuses(&sandbox, endpoint, &["AWS_ENDPOINT_URL_STS is not UTF-8"]);
    let profile = without_key().env("AWS_PROFILE", "dev\r");
    refuses(&sandbox, profile, &["AWS_PROFILE ends with a carriage return"]);
    let container = without_key()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &sandbox.metadata().container_credentials_uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token\r");
    refuses(&sandbox, container, &["AWS_CONTAINER_AUTHORIZATION_TOKEN ends with a carriage return"]);
}

#[test]
fn a_damaged_key_of_a_flag_or_a_file_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let keys = sandbox.credentials();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "first\r\nsecond").unwrap();
    let file = file.path().to_str().unwrap();
    let (id, secret) = (keys.access_key_id.as_str(), keys.secret_access_key.as_str());
    for (flags, variable, words) in [
        (["--access-key", "AKIA\r", "--secret", secret], "", "--access-key ends with a carriage return"),
        (["--access-key", id, "--secret", "hush\n"], "", "--secret holds a line feed"),
        (["--access-key", id, "--secret-file", file], "", "--secret-file holds a carriage return"),
        (["--access-key", id, "--session-token", "a b"], secret, "--session-token holds a blank"),
        (
            ["--access-key", id, "--credential-source", "static"],
            "hush\r",
            "AWS_SECRET_ACCESS_KEY ends with a",
        ),
    ] {
        let outcome = sigv4_connect(&sandbox).args(flags).env("AWS_SECRET_ACCESS_KEY", variable).run();
        hides(&outcome, &sandbox);
        outcome.failed(2, &[words]);
    }
    let region = Sample::new(BINARY).https(&sandbox).env("AWS_REGION", OsStr::from_bytes(b"us-east-1\xff"));
    region.run().failed(2, &["AWS_REGION", "is not the name of an AWS region"]);
}

#[test]
fn half_a_key_in_the_environment_is_a_source_that_fails() {
    let sandbox = Sandbox::start().unwrap();
    let sample = sigv4_connect(&sandbox).env("AWS_ACCESS_KEY_ID", "AKIAHALF");
    let words = "the environment failed: AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not";
    refuses(&sandbox, sample, &[words, "hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and"]);
}

#[test]
fn an_unknown_permanent_key_is_not_taken_for_an_expired_token() {
    let sandbox = Sandbox::start().unwrap();
    let sample = |id: &str| {
        let sample = sigv4_connect(&sandbox).env("AWS_ACCESS_KEY_ID", id);
        sample.env("AWS_SECRET_ACCESS_KEY", &sandbox.credentials().secret_access_key).run()
    };
    let outcome =
        sample("AKIAUNKNOWNUNKNOWN23").failed(1, &["hint: AWS does not know the access key ID AKIAUNKNOWN"]);
    assert!(!outcome.stderr.contains("session token has expired"), "{outcome:#?}");
    sample("ASIAUNKNOWNUNKNOWN23").failed(1, &["hint: ASIAUNKNOWNUNKNOWN23 is a temporary access key"]);
}
