//! Variables and settings of the AWS SDK that are empty, damaged or without a scheme.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sandbox::{CredentialEndpoint, Sandbox};
use testkit::{Outcome, Sample};

const BINARY: &str = env!("CARGO_BIN_EXE_sigv4_websocket_connect");
const SSO_URL: &str = "https://sso.example.com/start";
/// The SHA-1 of that URL, which names the file that a login leaves.
const SSO_LOGIN: &str = "9ad544bfa11b39c042ecaec2e1b51e4dfb5ec648";

fn sigv4_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--region", sandbox.region()]).env("RUST_LOG", "trace")
}

/// Writes `~/.aws/config`.
fn with_config(sample: Sample, config: &str) -> Sample {
    let folder = sample.home().join(".aws");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config"), config).unwrap();
    sample
}

fn web_identity(sandbox: &Sandbox) -> Sample {
    let sts = sandbox.sts();
    sigv4_connect(sandbox)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &sts.web_identity_token_file)
        .env("AWS_ROLE_ARN", &sts.role_arn)
}

/// A profile of IAM Identity Center with a login; `more` are further settings of it.
fn sso(sandbox: &Sandbox, more: &str) -> Sample {
    let sso = sandbox.sso();
    let profile = format!(
        "[default]\nsso_start_url = {SSO_URL}\nsso_region = {}\nsso_account_id = {}\nsso_role_name = {}\n{more}",
        sso.region, sso.account_id, sso.role_name
    );
    let sample = with_config(sigv4_connect(sandbox), &profile);
    let cache = sample.home().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    let login = format!(
        r#"{{"startUrl":"{SSO_URL}","region":"{}","accessToken":"{}","expiresAt":"2099-01-01T00:00:00Z"}}"#,
        sso.region, sso.access_token
    );
    fs::write(cache.join(format!("{SSO_LOGIN}.json")), login).unwrap();
    sample
}

fn cognito(sandbox: &Sandbox) -> Sample {
    sigv4_connect(sandbox).args(["--cognito-identity", &sandbox.cognito().identity_id])
}

/// A role that the sandbox's credentials are traded for; `more` are further settings of the profile.
fn role(sandbox: &Sandbox, arn: &str, more: &str) -> Sample {
    let keys = sandbox.credentials();
    let profile = format!(
        "[default]\nrole_arn = {arn}\nsource_profile = base\n{more}[profile base]\naws_access_key_id = {}\n\
         aws_secret_access_key = {}\naws_session_token = {}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    with_config(sigv4_connect(sandbox), &profile)
}

#[track_caller]
fn hides(outcome: &Outcome, sandbox: &Sandbox) {
    let token = fs::read_to_string(&sandbox.sts().web_identity_token_file).unwrap();
    let keys = sandbox.credentials();
    let secrets = [token.trim(), &sandbox.sso().access_token, &keys.secret_access_key, &keys.session_token];
    for secret in secrets.into_iter().chain(["HttpRequest", "SdkError", "panicked"]) {
        let hidden = !outcome.stderr.contains(secret) && !outcome.stdout.contains(secret);
        assert!(hidden, "{secret} in {outcome:#?}");
    }
}

#[track_caller]
fn refuses(sandbox: &Sandbox, sample: Sample, words: &[&str]) {
    let outcome = sample.run();
    hides(&outcome, sandbox);
    outcome.failed(1, &[&["no AWS credentials from ", "hint:"], words].concat());
}

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
fn a_service_that_needs_no_profile_works_with_files_that_cannot_be_read() {
    let sandbox = Sandbox::start().unwrap();
    let sample = cognito(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint);
    let outcome = with_config(sample, "very-secret-line\n").run().succeeded();
    let path = ".aws/config on line 1: Expected a profile definition";
    assert!(
        outcome.stderr.contains("the AWS configuration files are left out: error parsing"),
        "{outcome:#?}"
    );
    assert!(outcome.stderr.contains(path) && !outcome.stderr.contains("very-secret"), "{outcome:#?}");
    let sample = cognito(&sandbox).env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint);
    let sample = with_config(sample, "");
    fs::write(sample.home().join(".aws/config"), b"# caf\xe9\n").unwrap();
    let outcome = sample.run().succeeded();
    assert!(outcome.stderr.contains("are left out: cannot read the AWS config file"), "{outcome:#?}");
}

/// A profile `dev` with the sandbox's keys, in a file that a variable names.
fn with_keys_in(sandbox: &Sandbox, file: &Path) -> Sample {
    let keys = sandbox.credentials();
    let config = format!(
        "[profile dev]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    fs::write(file, config).unwrap();
    sigv4_connect(sandbox).env("AWS_CONFIG_FILE", file).env("AWS_PROFILE", "dev")
}

#[test]
fn a_usual_file_that_cannot_be_read_is_left_out_where_the_other_one_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let sample = || with_keys_in(&sandbox, file.path());
    sample().env("HOME", "/dev/null").run().succeeded();
    let folder = sample();
    fs::create_dir_all(folder.home().join(".aws/credentials")).unwrap();
    let outcome = folder.run().succeeded();
    let words = "an AWS configuration file is left out: cannot read the AWS credentials file";
    assert!(outcome.stderr.contains(words), "{outcome:#?}");
}

#[test]
fn a_configuration_file_may_begin_with_a_byte_order_mark_or_be_in_utf_16() {
    let sandbox = Sandbox::start().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let sample = || with_keys_in(&sandbox, file.path());
    let text = format!("\u{feff}{}", {
        drop(sample());
        fs::read_to_string(file.path()).unwrap()
    });
    for content in
        [text.clone().into_bytes(), text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
    {
        let sample = sample();
        fs::write(file.path(), content).unwrap();
        sample.run().succeeded();
    }
}

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
fn a_file_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::start().unwrap();
    let with_file = |content: Option<&[u8]>| {
        let sample = with_config(sigv4_connect(&sandbox), "");
        let path = sample.home().join(".aws/credentials");
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::create_dir(&path).unwrap(),
        }
        (sample, path.display().to_string())
    };
    let broken = with_file(Some(b"[default]\naws_access_key_id = AKIA\nvery-secret-line\n"));
    let words = format!("the profile failed: error parsing {} on line 3", broken.1);
    refuses(&sandbox, broken.0, &[&words]);
    let latin = with_file(Some(b"[default]\n# caf\xe9\n"));
    let words = format!("cannot read the AWS credentials file {}: it is not UTF-8", latin.1);
    refuses(&sandbox, latin.0, &[&words]);
    // Another source may be meant, and so this one is passed over.
    let (folder, path) = with_file(None);
    let words = format!("the profile: cannot read the AWS credentials file {path}: ");
    refuses(&sandbox, folder, &["none of its sources is set up", &words, "directory"]);
    let (folder, path) = with_file(None);
    let named = folder.env("AWS_PROFILE", "dev");
    refuses(
        &sandbox,
        named,
        &[&format!("the profile failed: cannot read the AWS credentials file {path}: ")],
    );
    let (folder, _) = with_file(None);
    let metadata = sandbox.metadata();
    folder
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_credentials_uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", &metadata.container_authorization_token)
        .run()
        .succeeded();
}

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
