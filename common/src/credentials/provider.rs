//! The credentials of one source, kept until they expire.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use iot_client::Error;
use iot_transport::timeline::Detail;
use iot_transport::{Cause, Route};
use tokio::sync::Mutex;

use super::permanent::is_permanent;
use super::settings::Settings;
use super::{CognitoId, CredentialSource, chain, config_files, environment, profile};

/// How long before their expiry credentials are no longer used: the signature has to arrive, too.
const MARGIN: Duration = Duration::from_secs(10);

/// Resolves one source's credentials and keeps them until they expire.
#[derive(Debug)]
pub(crate) struct Provider {
    source: CredentialSource,
    region: String,
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
pub(super) struct Expired;

impl Resolved {
    pub(crate) fn credentials(&self) -> &Credentials {
        let (Resolved::Fresh(credentials) | Resolved::Kept(credentials)) = self;
        credentials
    }
}

impl Provider {
    /// `region` is the one that STS is asked in.
    pub(crate) fn new(source: CredentialSource, region: String) -> Self {
        Self { source, region, kept: Mutex::default() }
    }

    pub(crate) fn source(&self) -> &CredentialSource {
        &self.source
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Credentials that have not expired; `route` is for the HTTP calls.
    ///
    /// # Errors
    /// [`iot_client::Error::Credentials`], or [`iot_transport::Error::File`] for a configuration file that was named but cannot be read.
    pub(crate) async fn resolve(&self, route: &Route) -> Result<Resolved, Error> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| !expires_by(kept, SystemTime::now() + MARGIN))
        {
            return Ok(Resolved::Kept(credentials.clone()));
        }
        // The SDK's futures are deep, and the compiler follows them only so far into the one that holds this.
        let credentials = Box::pin(self.load(route)).await?;
        profile::check(&credentials).map_err(|problem| self.failure(problem.into()))?;
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
    async fn load(&self, route: &Route) -> Result<Credentials, Error> {
        match &self.source {
            CredentialSource::Static(given) => given.load().map_err(|source| self.failure(source)),
            CredentialSource::Cognito(identity) => {
                identity.load(route).await.map_err(|source| self.failure(source))
            }
            CredentialSource::X509(provider) => {
                provider.load(route).await.map_err(|source| self.failure(source))
            }
            CredentialSource::Environment => environment::credentials()
                .and_then(|found| found.ok_or_else(|| environment::not_set().into()))
                .map_err(|source| self.failure(source)),
            CredentialSource::Profile { name, config_file, credentials_file } => {
                let files = config_files::find(config_file.as_deref(), credentials_file.as_deref())?;
                let asked = async {
                    let settings = Settings::of(files, name.clone(), route).await?;
                    profile::credentials(&settings, &self.region).await
                };
                asked.await.map_err(|source| self.failure(source))
            }
            CredentialSource::DefaultChain => {
                chain::resolve(&self.region, route).await.map_err(|source| self.failure(source))
            }
        }
    }

    fn failure(&self, source: Cause) -> Error {
        Error::Credentials {
            from: self.source.to_string(),
            hint: Some(self.source.hint(&*source)),
            is_permanent: is_permanent(&*source),
            source,
        }
    }
}

fn expires_by(credentials: &Credentials, time: SystemTime) -> bool {
    credentials.expiry().is_some_and(|expiry| expiry <= time)
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
