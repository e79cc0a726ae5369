use super::*;
use crate::transport::Roots;

fn provider(source: CredentialSource) -> Provider {
    Provider::new(source, "us-east-1".to_owned(), &Roots::system().into())
}

async fn resolved(provider: &Provider) -> Credentials {
    provider.resolve().await.expect("resolves").credentials().clone()
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
    let error = provider(empty).resolve().await.expect_err("no secret");
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
        let error = provider.resolve().await.expect_err("no such profile");
        assert_eq!(
            chain(&error),
            "no AWS credentials from profile \"prod\": there is no such profile, only dev, half"
        );
    }
    std::fs::write(folder.path().join("credentials"), dev.replace("[dev]", "[prod]")).expect("writable");
    assert!(provider.resolve().await.is_ok(), "a mended file is read again");
}

#[tokio::test]
async fn half_a_profile() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = profile(folder.path(), Some("half"), "[half]\naws_access_key_id = AKID\n");
    let error = provider(source).resolve().await.expect_err("no secret key");
    let text = chain(&error);
    assert!(text.starts_with("no AWS credentials from profile \"half\": "), "{text}");
    assert!(text.contains("aws_secret_access_key"), "{text}");
}

#[tokio::test]
async fn a_named_file_must_exist() {
    let source = CredentialSource::Profile {
        name: None,
        config_file: None,
        credentials_file: Some("/nowhere/credentials".into()),
    };
    let error = provider(source).resolve().await.expect_err("missing");
    assert_eq!(error.to_string(), "cannot read the AWS credentials file /nowhere/credentials");
}

#[tokio::test]
async fn credentials_are_kept_until_shortly_before_they_expire() {
    let provider = provider(CredentialSource::Static(StaticCredentials::new("NEW", "secret", None)));
    let old = |left| Credentials::new("OLD", "secret", None, Some(SystemTime::now() + left), "test");
    provider.keep(old(MARGIN * 2)).await;
    assert!(matches!(provider.resolve().await, Ok(Resolved::Kept(kept)) if kept.access_key_id() == "OLD"));
    provider.keep(old(MARGIN)).await;
    assert!(matches!(provider.resolve().await, Ok(Resolved::Fresh(new)) if new.access_key_id() == "NEW"));
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
    let error = provider(profile(folder.path(), None, &process)).resolve().await.expect_err("expired");
    assert_eq!(chain(&error), "no AWS credentials from the default profile: they have expired already");
    assert!(error.hint().is_some_and(|hint| hint.contains("clock")), "{:?}", error.hint());
}
