//! Endpoints of the environment and of profiles.

use sandbox::{CredentialEndpoint, Sandbox};
use testkit::Sample;

use crate::support::{cognito, hides, refuses, role, sigv4_connect, sso, web_identity, with_config};

#[test]
fn an_endpoint_without_a_scheme_is_refused_before_a_token_is_sent() {
    let sandbox = Sandbox::start().unwrap();
    let to =
        |variable: &'static str, sample: Sample| (sample.env(variable, "localhost:1"), variable.to_owned());
    let of_profile = |sample: Sample, name: &str| (sample, name.to_owned());
    let arn = &sandbox.sts().role_arn;
    let services = "services = local\n[services local]\nsts =\n  endpoint_url = localhost:1\n";
    for (sample, name) in [
        to("AWS_ENDPOINT_URL_STS", web_identity(&sandbox)),
        to("AWS_ENDPOINT_URL", web_identity(&sandbox)),
        to("AWS_ENDPOINT_URL_STS", web_identity(&sandbox).args(["--json", "--timeline"])),
        to("AWS_ENDPOINT_URL_SSO", sso(&sandbox, "").args(["--json", "--timeline"])),
        to("AWS_ENDPOINT_URL_SSO", sso(&sandbox, "")),
        to("AWS_ENDPOINT_URL_SSO_OIDC", sso(&sandbox, "")),
        to("AWS_ENDPOINT_URL", sso(&sandbox, "")),
        to("AWS_ENDPOINT_URL_COGNITO_IDENTITY", cognito(&sandbox)),
        to("AWS_ENDPOINT_URL_STS", role(&sandbox, arn, "")),
        of_profile(sso(&sandbox, "endpoint_url = localhost:1\n"), "endpoint_url of the profile \"default\""),
        of_profile(role(&sandbox, arn, services), "endpoint_url of sts in [services local]"),
    ] {
        refuses(
            &sandbox,
            sample,
            &[&format!("{name} \"localhost:1\" has no scheme: write https://localhost:1")],
        );
    }
    let metadata = || sigv4_connect(&sandbox).without_env("AWS_EC2_METADATA_DISABLED");
    for variable in ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
        let sample = metadata().env(variable, "localhost:1");
        refuses(&sandbox, sample, &[&format!("{variable} \"localhost:1\" has no scheme: write ")]);
    }
    for (url, problem) in [
        ("ftp://localhost:1", "begins with neither https:// nor http://"),
        ("https://", "is not a URL"),
        ("https://local host", "is not a URL"),
        ("https://localhost:1\r", "ends with a carriage return"),
        ("\"https://localhost:1\"", "is in quotation marks"),
        ("me:hush@localhost", "has no scheme: write https://…"),
    ] {
        let sample = web_identity(&sandbox).env("AWS_ENDPOINT_URL_STS", url);
        refuses(&sandbox, sample, &["AWS_ENDPOINT_URL_STS ", problem]);
    }
    assert!(sandbox.credential_requests().is_empty());
}

#[test]
fn an_empty_endpoint_counts_as_unset() {
    let sandbox = Sandbox::start().unwrap();
    let (sts, endpoint) = (sandbox.sts(), sandbox.sso().endpoint.as_str());
    let services = format!(
        "endpoint_url =\nservices = local\n[services local]\nsts =\n  endpoint_url = {}\n",
        sts.endpoint
    );
    let cognito = cognito(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", "");
    let empty = |sample: Sample, own: &str| sample.env("AWS_ENDPOINT_URL", "").env(own, "");
    for (endpoint, sample) in [
        (
            CredentialEndpoint::Sts,
            web_identity(&sandbox).env("AWS_ENDPOINT_URL_STS", "").env("AWS_ENDPOINT_URL", &sts.endpoint),
        ),
        (
            CredentialEndpoint::Sso,
            sso(&sandbox, "endpoint_url =\n")
                .env("AWS_ENDPOINT_URL", "")
                .env("AWS_ENDPOINT_URL_SSO", endpoint),
        ),
        (CredentialEndpoint::Cognito, cognito.env("AWS_ENDPOINT_URL", &sandbox.cognito().endpoint)),
        (CredentialEndpoint::Sts, empty(role(&sandbox, &sts.role_arn, &services), "AWS_ENDPOINT_URL_STS")),
    ] {
        let before = sandbox.credential_requests().len();
        let outcome = sample.run().succeeded();
        hides(&outcome, &sandbox);
        let asked = sandbox.credential_requests().split_off(before);
        assert!(asked.len() == 1 && asked[0].endpoint == endpoint, "{asked:?}");
    }
    // Without another one AWS's own is asked; here a proxy that is not there keeps the call from leaving.
    for (sample, own, host) in [
        (web_identity(&sandbox), "AWS_ENDPOINT_URL_STS", "sts.us-east-1.amazonaws.com"),
        (
            role(&sandbox, &sts.role_arn, "endpoint_url =\n"),
            "AWS_ENDPOINT_URL_STS",
            "sts.us-east-1.amazonaws.com",
        ),
        (sso(&sandbox, "endpoint_url =\n"), "AWS_ENDPOINT_URL_SSO", "portal.sso."),
        (self::cognito(&sandbox), "AWS_ENDPOINT_URL_COGNITO_IDENTITY", "cognito-identity.us-east-1"),
    ] {
        let sample = empty(sample, own).env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "localhost");
        let sample = sample.env("AWS_MAX_ATTEMPTS", "1");
        refuses(&sandbox, sample, &[&format!("no way to {host}"), "through the proxy"]);
    }
}

#[test]
fn endpoints_of_ones_own_are_left_out_where_a_variable_says_so() {
    let sandbox = Sandbox::start().unwrap();
    let sample = web_identity(&sandbox)
        .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint)
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "localhost");
    refuses(&sandbox, sample, &["no way to sts.us-east-1.amazonaws.com"]);
}

#[test]
fn a_services_section_names_cognito_as_documented() {
    let sandbox = Sandbox::start().unwrap();
    let endpoint = &sandbox.cognito().endpoint;
    for name in ["cognito_identity", "cognito-identity"] {
        let config =
            format!("[default]\nservices = local\n[services local]\n{name} =\n  endpoint_url = {endpoint}\n");
        with_config(cognito(&sandbox), &config).run().succeeded();
    }
}

#[test]
fn empty_variables_of_the_metadata_services_count_as_unset() {
    let sandbox = Sandbox::start().unwrap();
    let metadata = sandbox.metadata();
    let instance = with_config(
        sigv4_connect(&sandbox),
        &format!("[default]\nec2_metadata_service_endpoint = {}\n", metadata.endpoint),
    );
    let empty = ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"];
    let empty =
        empty.into_iter().chain(["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"]);
    let sample =
        empty.fold(instance.without_env("AWS_EC2_METADATA_DISABLED"), |sample, name| sample.env(name, ""));
    sample.run().succeeded();
    let container = sigv4_connect(&sandbox)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "");
    refuses(&sandbox, container, &["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is set but empty"]);
}

#[test]
fn a_damaged_mode_of_the_metadata_service_is_named_where_it_is_set() {
    let sandbox = Sandbox::start().unwrap();
    let sample =
        |config: &str| with_config(sigv4_connect(&sandbox), config).without_env("AWS_EC2_METADATA_DISABLED");
    let of_profile = sample("[default]\nec2_metadata_service_endpoint_mode = IPv5\n");
    let words =
        "ec2_metadata_service_endpoint_mode of the profile \"default\" \"IPv5\" is neither IPv4 nor IPv6";
    refuses(&sandbox, of_profile, &[words]);
    let variable = sample("").env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5");
    refuses(&sandbox, variable, &["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE \"IPv5\" is neither"]);
}
