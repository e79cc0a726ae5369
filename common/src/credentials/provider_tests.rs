use iot_transport::Roots;

use super::*;
use crate::credentials::StaticCredentials;

fn route() -> Route {
    Roots::system().into()
}

fn provider(source: CredentialSource) -> Provider {
    Provider::new(source, "us-east-1".to_owned())
}

async fn resolved(provider: &Provider) -> Credentials {
    provider.resolve(&route()).await.expect("resolves").credentials().clone()
}

/// A message and its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn profile(folder: &std::path::Path, name: Option<&str>, credentials: &str) -> CredentialSource {
    let (config_file, credentials_file) = (folder.join("config"), folder.join("credentials"));
    std::fs::write(&config_file, "").expect("writable");
    std::fs::write(&credentials_file, credentials).expect("writable");
    CredentialSource::Profile {
        name: name.map(ToOwned::to_owned),
        config_file: Some(config_file),
        credentials_file: Some(credentials_file),
    }
}

#[tokio::test]
async fn given_keys() {
    let given = StaticCredentials::new("AKID", "very-secret", Some("token-secret".into()));
    let source = CredentialSource::Static(given);
    assert!(!format!("{source:?}").contains("secret\""), "{source:?}");
    let credentials = resolved(&provider(source)).await;
    assert_eq!(credentials.access_key_id(), "AKID");
    assert_eq!(credentials.session_token(), Some("token-secret"));

    let empty = CredentialSource::Static(StaticCredentials::new("AKID", "", None));
    let error = provider(empty).resolve(&route()).await.expect_err("no secret");
    assert_eq!(
        chain(&error),
        "no AWS credentials from the access key that was given: the secret access key is empty"
    );
}

#[tokio::test]
async fn a_profile() {
    let folder = tempfile::tempdir().expect("a folder");
    let dev = "[dev]\naws_access_key_id = AKID\naws_secret_access_key = very-secret\n[half]\naws_access_key_id = A\n";
    let found = resolved(&provider(profile(folder.path(), Some("dev"), dev))).await;
    assert_eq!(found.access_key_id(), "AKID");

    let provider = provider(profile(folder.path(), Some("prod"), dev));
    for _ in 0..2 {
        let error = provider.resolve(&route()).await.expect_err("no such profile");
        assert_eq!(
            chain(&error),
            "no AWS credentials from profile \"prod\": there is no such profile, only dev, half"
        );
    }
    std::fs::write(folder.path().join("credentials"), dev.replace("[dev]", "[prod]")).expect("writable");
    assert!(provider.resolve(&route()).await.is_ok(), "a mended file is read again");
}

#[tokio::test]
async fn a_configuration_file_that_is_not_utf_8_does_not_end_reconnecting() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = profile(folder.path(), None, "");
    let path = folder.path().join("credentials");
    std::fs::write(&path, b"# caf\xe9\n").expect("writable");
    let error = provider(source).resolve(&route()).await.expect_err("not UTF-8");
    assert!(!error.is_permanent());
    let expected = format!("cannot read the AWS credentials file {}: it is not UTF-8", path.display());
    assert_eq!(chain(&error), expected);
}

#[tokio::test]
async fn half_a_profile() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = profile(folder.path(), Some("half"), "[half]\naws_access_key_id = AKID\n");
    let error = provider(source).resolve(&route()).await.expect_err("no secret key");
    let text = chain(&error);
    assert!(text.starts_with("no AWS credentials from profile \"half\": "), "{text}");
    assert!(text.contains("aws_secret_access_key"), "{text}");
}

#[tokio::test]
async fn a_profile_that_leads_to_no_credentials_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let role = "role_arn = arn:aws:iam::123456789012:role/r\n";
    for (settings, problem) in [
        (String::new(), "the profile \"a\" holds no credentials: "),
        (format!("{role}source_profile = a\n"), "is its own source_profile, and holds no credentials"),
        (role.to_owned(), "has role_arn, but neither source_profile nor credential_source"),
        (
            format!("{role}source_profile =\n"),
            "has role_arn, but neither source_profile nor credential_source",
        ),
        (
            format!("{role}source_profile = b\ncredential_source = Environment\n"),
            "has both source_profile and",
        ),
        (format!("{role}source_profile = b\n"), "has source_profile = b, and there is no such profile"),
        (
            format!("{role}source_profile = b\n[b]\n"),
            "the profile \"b\" is a source_profile, and holds no credentials",
        ),
        (format!("{role}source_profile = b\n[b]\n{role}source_profile = a\n"), "in a circle: a → b → a"),
        (
            format!("{role}credential_source = Vault\n"),
            "credential_source = Vault, which is none of Environment, Ec2",
        ),
        ("web_identity_token_file = /nowhere\n".to_owned(), "has web_identity_token_file but no role_arn"),
        (
            "sso_session = x\nsso_account_id = 1\nsso_role_name = r\n".to_owned(),
            "there is no section [sso-session x]",
        ),
        ("sso_session = x\n".to_owned(), "the profile \"a\" holds no credentials: "),
        (
            "sso_region = us-east-1\nsso_role_name = r\n".to_owned(),
            "is one for IAM Identity Center (SSO), and has no sso_account_id",
        ),
        (
            "sso_region = x/y\nsso_account_id = 1\nsso_role_name = r\nsso_start_url = https://a.example\n"
                .to_owned(),
            "has an sso_region that is not the name of an AWS region",
        ),
        ("aws_secret_access_key = hush\n".to_owned(), "has part of an access key, and no aws_access_key_id"),
        (
            "aws_access_key_id = \"AKID\"\naws_secret_access_key = hush\n".to_owned(),
            "aws_access_key_id of the profile \"a\" is in quotation marks",
        ),
        (
            "aws_access_key_id = AKID\naws_secret_access_key = hu sh\n".to_owned(),
            "aws_secret_access_key of the profile \"a\" holds a blank",
        ),
    ] {
        let source = profile(folder.path(), Some("a"), &format!("[a]\n{settings}"));
        let text = chain(&provider(source).resolve(&route()).await.expect_err("no credentials"));
        assert!(text.contains(problem) && !text.contains("hush"), "{settings}: {text}");
    }
}

#[tokio::test]
async fn credentials_that_a_header_cannot_hold_are_refused_whoever_gave_them() {
    let given = |id: &str, token: &str| StaticCredentials::new(id, "hush", Some(token.to_owned().into()));
    for (source, problem) in [
        (given("AKID\r", "quiet"), "the access key ID ends with a carriage return"),
        (given("AKID", "qui\net"), "the session token holds a line feed"),
    ] {
        let error = provider(CredentialSource::Static(source)).resolve(&route()).await.expect_err("refused");
        assert!(chain(&error).contains(problem), "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("where it is set")), "{:?}", error.hint());
    }
}

#[tokio::test]
async fn a_file_that_does_not_parse_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = profile(folder.path(), None, "[default]\naws_access_key_id = AKID\nhush\n");
    let text = chain(&provider(source).resolve(&route()).await.expect_err("does not parse"));
    let path = folder.path().join("credentials");
    let start =
        format!("no AWS credentials from the default profile: error parsing {} on line 3:", path.display());
    assert!(text.starts_with(&start) && !text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_named_file_must_exist() {
    let source = CredentialSource::Profile {
        name: None,
        config_file: None,
        credentials_file: Some("/nowhere/credentials".into()),
    };
    let error = provider(source).resolve(&route()).await.expect_err("missing");
    assert_eq!(error.to_string(), "cannot read the AWS credentials file /nowhere/credentials");
}

#[tokio::test]
async fn credentials_are_kept_until_shortly_before_they_expire() {
    let provider = provider(CredentialSource::Static(StaticCredentials::new("NEW", "secret", None)));
    let old = |left| Credentials::new("OLD", "secret", None, Some(SystemTime::now() + left), "test");
    provider.keep(old(MARGIN * 2)).await;
    assert!(
        matches!(provider.resolve(&route()).await, Ok(Resolved::Kept(kept)) if kept.access_key_id() == "OLD")
    );
    provider.keep(old(MARGIN)).await;
    assert!(
        matches!(provider.resolve(&route()).await, Ok(Resolved::Fresh(new)) if new.access_key_id() == "NEW")
    );
    assert!(provider.kept.lock().await.is_none(), "what does not expire is not kept");
}

#[tokio::test]
async fn what_is_forgotten_is_resolved_anew() {
    let provider = provider(CredentialSource::Static(StaticCredentials::new("NEW", "secret", None)));
    let expiry = Some(SystemTime::now() + MARGIN * 2);
    provider.keep(Credentials::new("OLD", "secret", None, expiry, "test")).await;
    provider.forget().await;
    assert_eq!(resolved(&provider).await.access_key_id(), "NEW");
}

#[tokio::test]
async fn expired_credentials_are_refused_with_a_word_on_the_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = format!(
        "[default]\ncredential_process = printf '{{\"Version\":1,\"AccessKeyId\":\"AKID\",{}}}'\n",
        r#""SecretAccessKey":"very-secret","Expiration":"2020-01-01T00:00:00Z""#
    );
    let error =
        provider(profile(folder.path(), None, &process)).resolve(&route()).await.expect_err("expired");
    assert_eq!(chain(&error), "no AWS credentials from the default profile: they have expired already");
    assert!(error.hint().is_some_and(|hint| hint.contains("clock")), "{:?}", error.hint());
}

#[test]
fn a_proxy_in_the_way_of_credentials_is_what_matters() {
    let refused = iot_transport::Error::Proxy {
        proxy: "http://p:1080".to_owned(),
        target: "sts.example:443".to_owned(),
        problem: Box::new(iot_transport::ProxyProblem::Unresolved),
        source: None,
    };
    let call = aws_smithy_runtime_api::client::result::ConnectorError::io(refused.into());
    let error = provider(CredentialSource::DefaultChain).failure(call.into());
    assert!(error.hint().is_some_and(|hint| hint.contains("socks5h://")), "{:?}", error.hint());
}

#[test]
fn each_source_of_credentials_has_its_own() {
    let profile = |name| CredentialSource::Profile { name, config_file: None, credentials_file: None };
    for (from, words) in [
        (CredentialSource::Environment, "set AWS_ACCESS_KEY_ID"),
        (profile(Some("dev".to_owned())), "list-profiles"),
        (profile(None), "list-profiles"),
        (CredentialSource::DefaultChain, "AWS_PROFILE"),
        (CredentialSource::Static(StaticCredentials::new("", "", None)), "both"),
    ] {
        let error = provider(from.clone()).failure("none".into());
        assert!(error.hint().is_some_and(|hint| hint.contains(words)), "{from}");
    }
}
