//! Profiles, roles and web identities.

use std::fs;

use sandbox::{CredentialEndpoint, Sandbox};
use testkit::Sample;

use crate::support::{SSO_URL, hides, refuses, role, sigv4_connect, web_identity, with_config};

#[test]
fn a_refused_role_is_told_with_code_message_and_trust_policy() {
    let sandbox = Sandbox::start().unwrap();
    let to_sandbox = |sample: Sample| sample.env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint);
    to_sandbox(role(&sandbox, &sandbox.sts().role_arn, "")).run().succeeded();
    let another = "arn:aws:iam::123456789012:role/another";
    let words = [
        &format!(
            "AWS STS does not give the role {another}: HTTP 403 AccessDenied: User: arn:aws:iam::123456789012"
        ),
        "is not authorized to perform: sts:AssumeRole on resource",
        &format!("hint: the trust policy of {another} must name whose credentials these are"),
    ];
    refuses(&sandbox, to_sandbox(role(&sandbox, another, "")), &words);
    let flags = ["--profile", "default"];
    refuses(&sandbox, to_sandbox(role(&sandbox, another, "")).args(flags), &words);
}

#[test]
fn a_web_identity_token_may_end_with_a_line_feed_and_is_not_empty() {
    let sandbox = Sandbox::start().unwrap();
    let token = fs::read_to_string(&sandbox.sts().web_identity_token_file).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let sample = |content: &str| {
        fs::write(file.path(), content).unwrap();
        let sample = web_identity(&sandbox).env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint);
        sample.env("AWS_WEB_IDENTITY_TOKEN_FILE", file.path())
    };
    sample(&format!("{}\n", token.trim())).run().succeeded();
    sample(&format!("\u{feff}{}\r\n", token.trim())).run().succeeded();
    let words = format!("the web identity token {} is larger than 64 KiB", file.path().display());
    refuses(&sandbox, sample(&"x".repeat(70_000)), &[&words]);
    let words = format!("the web identity token {} is empty", file.path().display());
    refuses(&sandbox, sample("\n"), &[&words]);
}

#[test]
fn a_profile_without_credentials_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let sample = |config: &str| with_config(sigv4_connect(&sandbox), config);
    let nothing = "the profile \"default\" holds no credentials";
    refuses(&sandbox, sample("[default]\nregion = us-east-1\n"), &["none of its sources is set up", nothing]);
    let flags = ["--profile", "default"];
    refuses(&sandbox, sample("[default]\nregion = us-east-1\n").args(flags), &[nothing]);
    let own = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = default\n";
    refuses(
        &sandbox,
        sample(own),
        &["the profile \"default\" is its own source_profile, and holds no credentials"],
    );
}

/// A container's service, as the source of the chain that comes after the profile.
fn with_container(sandbox: &Sandbox, sample: Sample) -> Sample {
    let metadata = sandbox.metadata();
    sample
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token)
}

#[test]
fn a_profile_with_a_login_for_tokens_alone_is_passed_over() {
    let sandbox = Sandbox::start().unwrap();
    let config = format!(
        "[default]\nsso_session = tokens\n[sso-session tokens]\nsso_region = us-east-1\nsso_start_url = {SSO_URL}\n"
    );
    with_container(&sandbox, with_config(sigv4_connect(&sandbox), &config)).run().succeeded();
}

#[test]
fn a_credential_source_that_is_absent_ends_the_chain() {
    let sandbox = Sandbox::start().unwrap();
    let profile = |source: &str| {
        let config =
            format!("[default]\nrole_arn = {}\ncredential_source = {source}\n", sandbox.sts().role_arn);
        with_config(sigv4_connect(&sandbox), &config)
    };
    let container = profile("EcsContainer")
        .without_env("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &sandbox.metadata().endpoint);
    let words = "the profile failed: credential_source: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor";
    refuses(&sandbox, container, &[words]);
    let instance = with_container(&sandbox, profile("Ec2InstanceMetadata"));
    refuses(&sandbox, instance, &["the profile failed: credential_source: IMDS disabled"]);
    let environment = with_container(&sandbox, profile("Environment"));
    refuses(&sandbox, environment, &["the profile failed: ", "AWS_ACCESS_KEY_ID"]);
}

#[test]
fn a_role_is_assumed_with_each_credential_source() {
    let sandbox = Sandbox::start().unwrap();
    let profile = |source: &str| {
        let config =
            format!("[default]\nrole_arn = {}\ncredential_source = {source}\n", sandbox.sts().role_arn);
        let sample = with_config(sigv4_connect(&sandbox), &config).args(["--profile", "default"]);
        sample.env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint)
    };
    for (sample, source) in [
        (profile("Environment").credentials(sandbox.credentials()), None),
        (with_container(&sandbox, profile("EcsContainer")), Some(CredentialEndpoint::Container)),
        (
            profile("ec2instancemetadata")
                .without_env("AWS_EC2_METADATA_DISABLED")
                .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &sandbox.metadata().endpoint),
            Some(CredentialEndpoint::InstanceMetadata),
        ),
    ] {
        let before = sandbox.credential_requests().len();
        hides(&sample.run().succeeded(), &sandbox);
        let asked: Vec<_> =
            sandbox.credential_requests().split_off(before).into_iter().map(|one| one.endpoint).collect();
        assert_eq!(asked.last(), Some(&CredentialEndpoint::Sts));
        assert!(source.is_none_or(|source| asked.contains(&source)), "{asked:?}");
    }
}
