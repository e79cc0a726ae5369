//! The services of AWS that give out temporary credentials: Amazon Cognito identity pools, AWS STS, AWS Sign-In, the
//! portal of IAM Identity Center (SSO), the metadata services of EC2 and of containers, and AWS IoT's own credentials provider.
//!
//! AWS STS also says whose credentials a call is signed with. Each is a function from a request to an answer, in the
//! service's own protocol; the gateway does the HTTP. What they issue goes into the one [`CredentialStore`], by which
//! signatures are verified.

mod answer;
mod cognito;
mod container;
mod credentials_provider;
mod facts;
mod imds;
mod issuer;
mod log;
mod sign_in;
mod sso;
mod sts;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};

use crate::account::Account;
use crate::credentials::CredentialStore;
use crate::names::{ACCOUNT_ID, ENDPOINT, REGION, ROLE_NAME};
use crate::secret;
use crate::state::StateDirectory;

pub(crate) use answer::{Answer, ServiceRequest};
pub use facts::{Cognito, CredentialsProvider, Metadata, SignIn, Sso, Sts};
pub use log::{CredentialEndpoint, CredentialOutcome, CredentialRequest};

use self::cognito::IdentityPool;
use self::container::Container;
use self::credentials_provider::Provider;
use self::imds::InstanceMetadata;
use self::issuer::Issuer;
use self::log::CredentialRequestLog;
use self::sign_in::Login;
use self::sts::SecurityTokens;

const ROLE_ALIAS: &str = "test-role-alias";
/// As identity providers are named to Cognito: by their domain.
const LOGIN_PROVIDER: &str = "login.sandbox.example.com";

/// How credentials are given out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Of all credentials.
    pub(crate) lifetime: Duration,
    /// Before each answer of the metadata services.
    pub(crate) metadata_delay: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { lifetime: Duration::from_secs(3600), metadata_delay: Duration::ZERO }
    }
}

/// Where the services are to be found.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) https_port: u16,
    pub(crate) metadata_port: u16,
    pub(crate) web_identity_token_file: PathBuf,
    /// The files of a login are written there.
    pub(crate) login_cache_directory: PathBuf,
}

/// All of them.
pub(crate) struct Services {
    pub(crate) sts: Sts,
    pub(crate) sso: Sso,
    pub(crate) sign_in: SignIn,
    pub(crate) metadata: Metadata,
    pub(crate) credentials_provider: CredentialsProvider,
    pub(crate) metadata_delay: Duration,
    pub(crate) log: CredentialRequestLog,
    identity_pool: IdentityPool,
    login: Login,
    instance_metadata: InstanceMetadata,
    web_identity_token: String,
    store: Arc<CredentialStore>,
    lifetime: SignedDuration,
}

impl Services {
    /// `web_identity_token` is what the file of that name holds.
    pub(crate) fn new(
        settings: Settings,
        places: Places,
        web_identity_token: String,
        store: Arc<CredentialStore>,
    ) -> anyhow::Result<Self> {
        let https = format!("https://{ENDPOINT}:{}", places.https_port);
        let metadata = format!("http://127.0.0.1:{}", places.metadata_port);
        let cognito = Cognito {
            endpoint: https.clone(),
            identity_pool_id: cognito::new_id(),
            identity_id: cognito::new_id(),
            authenticated_identity_id: cognito::new_id(),
            login_provider: LOGIN_PROVIDER.to_owned(),
            login_token: secret::token()?,
        };
        Ok(Services {
            sts: Sts {
                endpoint: https.clone(),
                role_arn: format!("arn:aws:iam::{ACCOUNT_ID}:role/{ROLE_NAME}"),
                web_identity_token_file: places.web_identity_token_file,
            },
            sso: Sso {
                endpoint: https.clone(),
                start_url: format!("{https}/start"),
                region: REGION.to_owned(),
                account_id: ACCOUNT_ID.to_owned(),
                role_name: ROLE_NAME.to_owned(),
                access_token: secret::token()?,
            },
            sign_in: SignIn {
                endpoint: https.clone(),
                login_session: sign_in::session(),
                cache_file: places.login_cache_directory.join(sign_in::cache_file_name()),
            },
            metadata: Metadata {
                container_credentials_uri: format!("{metadata}{}", container::PATH),
                container_authorization_token: secret::token()?,
                endpoint: metadata,
            },
            credentials_provider: CredentialsProvider {
                endpoint: format!("{ENDPOINT}:{}", places.https_port),
                role_alias: ROLE_ALIAS.to_owned(),
            },
            identity_pool: IdentityPool::new(cognito),
            login: Login::new()?,
            metadata_delay: settings.metadata_delay,
            log: CredentialRequestLog::default(),
            instance_metadata: InstanceMetadata::default(),
            web_identity_token,
            store,
            lifetime: settings.lifetime.try_into().context("the lifetime of credentials is too long")?,
        })
    }

    /// Logs in, and writes what `aws login` writes.
    pub(crate) fn log_in(&self, state: &StateDirectory, now: Timestamp) -> anyhow::Result<()> {
        let issuer = Issuer { store: &self.store, now, lifetime: self.lifetime };
        state.write(&sign_in::cache_file_name(), self.login.cached(&issuer)?.as_bytes())?;
        Ok(())
    }

    pub(crate) fn cognito(&self) -> &Cognito {
        self.identity_pool.facts()
    }

    /// The service on the HTTPS port that a request is for.
    pub(crate) fn on_https(method: &Method, path: &str, headers: &HeaderMap) -> Option<CredentialEndpoint> {
        if path == "/" && method == Method::POST {
            // STS has no such header: its operation is part of the body.
            let json = headers.contains_key(cognito::TARGET);
            return Some(if json { CredentialEndpoint::Cognito } else { CredentialEndpoint::Sts });
        }
        if sign_in::is_called(method, path) {
            return Some(CredentialEndpoint::SignIn);
        }
        if method != Method::GET {
            return None;
        }
        if path == sso::PATH {
            return Some(CredentialEndpoint::Sso);
        }
        path.starts_with(credentials_provider::PREFIX).then_some(CredentialEndpoint::CredentialsProvider)
    }

    /// The service on the metadata port that a request is for.
    pub(crate) fn on_metadata(path: &str) -> CredentialEndpoint {
        if path == container::PATH {
            CredentialEndpoint::Container
        } else {
            CredentialEndpoint::InstanceMetadata
        }
    }

    /// Answers a request, and remembers how.
    pub(crate) fn answer(
        &self,
        endpoint: CredentialEndpoint,
        request: &ServiceRequest<'_>,
        account: &Account,
    ) -> Answer {
        let issuer = Issuer { store: &self.store, now: account.clock.now(), lifetime: self.lifetime };
        let answer = match endpoint {
            CredentialEndpoint::Cognito => self.identity_pool.answer(request, &issuer),
            CredentialEndpoint::Sts => {
                let (facts, token) = (&self.sts, self.web_identity_token.as_str());
                SecurityTokens { facts, token, verifier: &account.verifier }.answer(request, &issuer)
            }
            CredentialEndpoint::Sso => sso::answer(&self.sso, request, &issuer),
            CredentialEndpoint::SignIn => self.login.answer(request, &issuer),
            CredentialEndpoint::InstanceMetadata => self.instance_metadata.answer(request, &issuer),
            CredentialEndpoint::Container => {
                let token = &self.metadata.container_authorization_token;
                Container { token, role_arn: &self.sts.role_arn }.answer(request, &issuer)
            }
            CredentialEndpoint::CredentialsProvider => {
                let role_alias = &self.credentials_provider.role_alias;
                let (things, policies) = (&account.things, &account.policies);
                Provider { role_alias, things, policies }.answer(request, &issuer)
            }
        };
        self.log.add(CredentialRequest { endpoint, outcome: answer.outcome.clone() });
        answer
    }

    /// Refuses all that was issued so far from now on.
    pub(crate) fn expire_issued(&self) {
        self.store.expire_issued();
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Services")
            .field("lifetime", &self.lifetime)
            .field("metadata_delay", &self.metadata_delay)
            .finish_non_exhaustive()
    }
}
