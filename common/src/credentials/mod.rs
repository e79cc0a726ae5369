//! AWS credentials, wherever they come from.
//!
//! The AWS SDK finds most of them; what is called over HTTP (Cognito, STS, SSO, ECS, EC2 metadata, AWS IoT's own
//! provider) goes through this crate's own TCP, proxies and TLS, so that the same route holds for all connections.

mod caller;
mod chain;
mod cognito;
mod environment;
mod examined;
mod hint;
mod http;
mod process;
mod profile;
mod refusal;
mod sdk_failure;
mod source;
mod x509;

use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::default_provider::{retry_config, use_dual_stack, use_fips};
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::region::Region;
use tokio::sync::Mutex;

pub use self::caller::{CallerIdentity, CallerUnknown, CredentialFault};
pub use self::cognito::{CognitoId, CognitoIdentity, InvalidCognitoId};
pub use self::examined::ExaminedCredentials;
pub(crate) use self::http::get;
pub(crate) use self::refusal::is_permanent;
use self::sdk_failure::SdkFailure;
pub use self::source::{CredentialSource, StaticCredentials};
pub use self::x509::{InvalidName, RoleAlias, ThingName, X509Credentials};
use crate::error::{Cause, Error};
use crate::timeline::Detail;
use crate::transport::Route;

/// How long before their expiry credentials are no longer used: the signature has to arrive, too.
const MARGIN: Duration = Duration::from_secs(10);

/// Resolves one source's credentials and keeps them until they expire.
#[derive(Debug)]
pub(crate) struct Provider {
    source: CredentialSource,
    region: Option<String>,
    route: Route,
    /// Only those that expire: the others come from this machine, where looking again is cheap and finds the ones
    /// that have been rotated.
    kept: Mutex<Option<Credentials>>,
}

/// Credentials, and whether the source was asked for them just now.
#[derive(Debug)]
pub(crate) enum Resolved {
    Fresh(Credentials),
    Kept(Credentials),
}

/// A source has given credentials that cannot be used any more.
#[derive(Debug, thiserror::Error)]
#[error("they have expired already")]
struct Expired;

impl Resolved {
    pub(crate) fn credentials(&self) -> &Credentials {
        let (Resolved::Fresh(credentials) | Resolved::Kept(credentials)) = self;
        credentials
    }
}

impl Provider {
    /// `region` is the one that STS is asked in; `None` leaves it to the SDK's own settings. `route` is for
    /// the HTTP calls.
    pub(crate) fn new(source: CredentialSource, region: Option<String>, route: &Route) -> Self {
        Self { source, region, route: route.clone(), kept: Mutex::default() }
    }

    /// Credentials that have not expired.
    ///
    /// # Errors
    /// [`Error::Credentials`], or [`Error::File`] for a configuration file that was named but cannot be read.
    pub(crate) async fn resolve(&self) -> Result<Resolved, Error> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| !expires_by(kept, SystemTime::now() + MARGIN))
        {
            return Ok(Resolved::Kept(credentials.clone()));
        }
        // The SDK's futures are deep, and the compiler follows them only so far into the one that holds this.
        let credentials = Box::pin(self.load()).await?;
        if expires_by(&credentials, SystemTime::now()) {
            return Err(self.failure(Expired.into()));
        }
        *kept = credentials.expiry().is_some().then(|| credentials.clone());
        Ok(Resolved::Fresh(credentials))
    }

    /// Lets go of credentials that were refused before their time.
    pub(crate) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    /// Where these are from and how long they hold, for the timeline.
    pub(crate) fn describe(&self, resolved: &Resolved) -> Detail {
        let credentials = resolved.credentials();
        let link = credentials.get_property::<chain::Link>();
        Detail::Credentials {
            source: link.map_or_else(|| self.source.to_string(), |link| format!("{}: {link}", self.source)),
            kept: matches!(resolved, Resolved::Kept(_)),
            expires: credentials.expiry(),
        }
    }

    /// As if these had been resolved for an earlier connection.
    #[cfg(test)]
    pub(crate) async fn keep(&self, credentials: Credentials) {
        *self.kept.lock().await = Some(credentials);
    }

    /// The Cognito identity whose credentials these are, once it is known.
    pub(crate) fn cognito_identity(&self) -> Option<&CognitoId> {
        match &self.source {
            CredentialSource::Cognito(identity) => identity.id(),
            _ => None,
        }
    }

    /// Asks the source. The SDK's providers are made anew each time: they remember a failure, and what a
    /// configuration file said when they first read it.
    async fn load(&self) -> Result<Credentials, Error> {
        match &self.source {
            CredentialSource::Static(given) => given.load().map_err(|source| self.failure(source)),
            CredentialSource::Cognito(identity) => {
                identity.load(&self.route).await.map_err(|source| self.failure(source))
            }
            CredentialSource::X509(provider) => {
                provider.load(&self.route).await.map_err(|source| self.failure(source))
            }
            CredentialSource::Environment => {
                environment::check_from_process().map_err(|source| self.failure(source))?;
                self.ask(EnvironmentVariableCredentialsProvider::new()).await
            }
            CredentialSource::Profile { name, config_file, credentials_file } => {
                let files = profile::files(config_file.as_deref(), credentials_file.as_deref())?;
                profile::check(name.as_deref(), &files).await.map_err(|source| self.failure(source))?;
                let provider = profile::Provider::new(name.as_deref(), files, &self.sdk_config().await);
                self.ask(provider).await
            }
            CredentialSource::DefaultChain => {
                environment::check_chain().await.map_err(|source| self.failure(source))?;
                chain::resolve(&self.sdk_config().await).await.map_err(|source| self.failure(source))
            }
        }
    }

    async fn ask(&self, provider: impl ProvideCredentials) -> Result<Credentials, Error> {
        provider.provide_credentials().await.map_err(|error| self.failure(SdkFailure::new(error).into()))
    }

    /// With what the SDK's loader would set for its own chain: from here the chain is asked link by link.
    async fn sdk_config(&self) -> ProviderConfig {
        let config = ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(http::client(&self.route));
        // These read the configuration files, without which the SDK would not see the endpoints named there.
        let use_fips = use_fips::use_fips_provider(&config).await;
        let use_dual_stack = use_dual_stack::use_dual_stack_provider(&config).await;
        let retries = retry_config::default_provider().configure(&config).retry_config().await;
        let config =
            config.with_use_fips(use_fips).with_use_dual_stack(use_dual_stack).with_retry_config(retries);
        match &self.region {
            Some(region) => config.with_region(Some(Region::new(region.clone()))),
            None => config.load_default_region().await,
        }
    }

    fn failure(&self, source: Cause) -> Error {
        Error::Credentials { from: Box::new(self.source.clone()), source }
    }
}

fn expires_by(credentials: &Credentials, time: SystemTime) -> bool {
    credentials.expiry().is_some_and(|expiry| expiry <= time)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
