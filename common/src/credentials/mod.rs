//! AWS credentials, wherever they come from.
//!
//! The AWS SDK finds and refreshes them; what it calls over HTTP (STS, SSO, ECS, EC2 metadata) goes through this
//! crate's own TCP and TLS, so that the same roots hold for all connections.

mod environment;
mod http;
mod profile;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime::expiring_cache::ExpiringCache;
use aws_types::region::Region;

use crate::error::{Cause, Error};
use crate::transport::Roots;

/// Where AWS credentials come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CredentialSource {
    /// The AWS SDK's default chain: environment, profile, web identity, ECS, EC2 metadata
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).
    DefaultChain,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones, `AWS_SESSION_TOKEN`.
    Environment,
    /// A profile of the AWS configuration files.
    Profile {
        /// The profile; `None` is the one that `AWS_PROFILE` names, or `default`.
        name: Option<String>,
        /// In place of `~/.aws/config`.
        config_file: Option<PathBuf>,
        /// In place of `~/.aws/credentials`.
        credentials_file: Option<PathBuf>,
    },
    /// Credentials that the program was given.
    Static(StaticCredentials),
}

/// Credentials that the program was given. Its `Debug` hides the secret key and the token.
#[derive(Clone)]
pub struct StaticCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl StaticCredentials {
    /// An access key, and the session token that belongs to a temporary one.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token,
        }
    }

    fn load(&self) -> Result<Credentials, Cause> {
        if self.access_key_id.is_empty() {
            return Err("the access key ID is empty".into());
        }
        if self.secret_access_key.is_empty() {
            return Err("the secret access key is empty".into());
        }
        let token = self.session_token.clone().filter(|token| !token.is_empty());
        Ok(Credentials::new(&self.access_key_id, &self.secret_access_key, token, None, "Static"))
    }
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// As a message names it: "no AWS credentials from …".
impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CredentialSource::DefaultChain => f.write_str("the default chain"),
            CredentialSource::Environment => f.write_str("the environment"),
            CredentialSource::Profile { name: Some(name), .. } => write!(f, "profile \"{name}\""),
            CredentialSource::Profile { name: None, .. } => f.write_str("the default profile"),
            CredentialSource::Static(_) => f.write_str("the access key that was given"),
        }
    }
}

/// How long before their expiry credentials are no longer used: the signature has to arrive, too.
const MARGIN: Duration = Duration::from_secs(10);

/// Resolves one source's credentials and keeps them until they expire.
#[derive(Debug)]
pub(crate) struct Provider {
    source: CredentialSource,
    region: Option<String>,
    roots: Roots,
    cache: ExpiringCache<Credentials, Error>,
}

impl Provider {
    /// `region` is the one that STS is asked in; `None` leaves it to the SDK's own settings. `roots` are for the
    /// SDK's HTTPS calls.
    pub(crate) fn new(source: CredentialSource, region: Option<String>, roots: &Roots) -> Self {
        Self { source, region, roots: roots.clone(), cache: ExpiringCache::new(MARGIN) }
    }

    /// Credentials that have not expired, from the cache where it holds some.
    ///
    /// # Errors
    /// [`Error::Credentials`], or [`Error::File`] for a configuration file that was named but cannot be read.
    pub(crate) async fn resolve(&self) -> Result<Credentials, Error> {
        if let Some(credentials) = self.cache.yield_or_clear_if_expired(SystemTime::now()).await {
            return Ok(credentials);
        }
        let load = || async {
            let credentials = self.load().await?;
            let now = SystemTime::now();
            match credentials.expiry() {
                Some(expiry) if expiry <= now => Err(self.failure("they have expired already".into())),
                Some(expiry) => Ok((credentials, expiry)),
                // They come from this machine: looking again is cheap, and they may have been rotated.
                None => Ok((credentials, now)),
            }
        };
        self.cache.get_or_load(load).await
    }

    /// Asks the source. The SDK's providers are made anew each time: they remember a failure, and what a
    /// configuration file said when they first read it.
    async fn load(&self) -> Result<Credentials, Error> {
        match &self.source {
            CredentialSource::Static(given) => given.load().map_err(|source| self.failure(source)),
            CredentialSource::Environment => {
                environment::check_from_process().map_err(|source| self.failure(source))?;
                self.ask(EnvironmentVariableCredentialsProvider::new()).await
            }
            CredentialSource::Profile { name, config_file, credentials_file } => {
                let files = profile::files(config_file.as_deref(), credentials_file.as_deref())?;
                profile::check(name.as_deref(), &files).await.map_err(|source| self.failure(source))?;
                let provider = profile::provider(name.as_deref(), files, &self.sdk_config().await);
                self.ask(provider).await
            }
            CredentialSource::DefaultChain => {
                environment::check_chain().await.map_err(|source| self.failure(source))?;
                let mut chain = DefaultCredentialsChain::builder().configure(self.sdk_config().await);
                // Without this the chain looks for a region of its own, down to EC2's metadata service.
                chain.set_region(self.region.clone().map(Region::new));
                self.ask(chain.build().await).await
            }
        }
    }

    async fn ask(&self, provider: impl ProvideCredentials) -> Result<Credentials, Error> {
        provider.provide_credentials().await.map_err(|error| self.failure(error.into()))
    }

    async fn sdk_config(&self) -> ProviderConfig {
        let config = ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(http::client(&self.roots));
        match &self.region {
            Some(region) => config.with_region(Some(Region::new(region.clone()))),
            None => config.load_default_region().await,
        }
    }

    fn failure(&self, source: Cause) -> Error {
        Error::Credentials { from: self.source.to_string(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(source: CredentialSource) -> Provider {
        Provider::new(source, Some("us-east-1".to_owned()), &Roots::system())
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
        let given = StaticCredentials::new("AKID", "very-secret", Some("token-secret".to_owned()));
        let source = CredentialSource::Static(given);
        assert!(!format!("{source:?}").contains("secret\""), "{source:?}");
        let credentials = provider(source).resolve().await.expect("resolves");
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
        let found = provider(profile(folder.path(), Some("dev"), dev)).resolve().await.expect("resolves");
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
    async fn expired_credentials_are_not_kept() {
        let provider = provider(CredentialSource::Static(StaticCredentials::new("NEW", "secret", None)));
        let expired = Credentials::new("OLD", "secret", None, Some(SystemTime::now()), "test");
        let loaded = provider.cache.get_or_load(|| async { Ok((expired, SystemTime::now())) }).await;
        assert_eq!(loaded.expect("loads").access_key_id(), "OLD");
        assert_eq!(provider.resolve().await.expect("resolves").access_key_id(), "NEW");
    }
}
