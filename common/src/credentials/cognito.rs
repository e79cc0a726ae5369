//! Amazon Cognito identities: an identity of a pool trades its logins for temporary credentials.
//!
//! This is the enhanced flow, without STS
//! (<https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html>).

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_cognitoidentity::Client;
use aws_sdk_cognitoidentity::error::{ProvideErrorMetadata, SdkError};
use iot_transport::{Cause, Route, region};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::sdk_failure;
use super::settings::{Service, Settings};

/// Whose credentials Amazon Cognito is asked for. Its `Debug` hides the logins' tokens.
///
/// Clones share the identity that the pool has given: it is asked once.
#[derive(Debug, Clone)]
pub struct CognitoIdentity {
    origin: Origin,
    logins: HashMap<String, SecretString>,
    identity: Arc<OnceCell<CognitoId>>,
}

/// Whether the identity was named, or is the pool's to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OriginKind {
    Identity,
    Pool,
}

#[derive(Debug, Clone)]
struct Origin {
    kind: OriginKind,
    id: CognitoId,
}

impl CognitoIdentity {
    /// An identity that exists already.
    #[must_use]
    pub fn identity(id: CognitoId) -> Self {
        let identity = Arc::new(OnceCell::new_with(Some(id.clone())));
        Self { origin: Origin { kind: OriginKind::Identity, id }, logins: HashMap::new(), identity }
    }

    /// The identity that the pool gives at the first connection (`GetId`): a new one without logins, with logins the
    /// one that they are linked to. All further connections use it, too.
    #[must_use]
    pub fn of_pool(pool: CognitoId) -> Self {
        let origin = Origin { kind: OriginKind::Pool, id: pool };
        Self { origin, logins: HashMap::new(), identity: Arc::default() }
    }

    /// Adds a provider (`graph.facebook.com`, `cognito-idp.<region>.amazonaws.com/<user pool>`) and the token that it
    /// gave: the identity is an authenticated one then.
    #[must_use]
    pub fn with_login(mut self, provider: impl Into<String>, token: impl Into<SecretString>) -> Self {
        self.logins.insert(provider.into(), token.into());
        self
    }

    /// The identity's ID; `None` until the pool has given one.
    #[must_use]
    pub fn id(&self) -> Option<&CognitoId> {
        self.identity.get()
    }

    pub(crate) fn origin(&self) -> OriginKind {
        self.origin.kind
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        !self.logins.is_empty()
    }

    /// Asks Cognito, in the region that the ID names.
    pub(super) async fn load(&self, route: &Route) -> Result<Credentials, Cause> {
        let settings = Settings::of_environment(route).await?;
        let config = settings.client(Service::CognitoIdentity, self.origin.id.region(), None).await?;
        let client = Client::new(&config);
        let id = self.resolve_id(&client).await?;
        let answer = client
            .get_credentials_for_identity()
            .identity_id(id.as_str())
            .set_logins(self.exposed_logins())
            .send()
            .await
            .map_err(|error| self.failure(error))?;
        let given = answer.credentials().ok_or("the answer holds no credentials")?;
        let part = |name: &str, value: Option<&str>| {
            value.map(ToOwned::to_owned).ok_or_else(|| format!("the answer's credentials have no {name}"))
        };
        Ok(Credentials::new(
            part("AccessKeyId", given.access_key_id())?,
            part("SecretKey", given.secret_key())?,
            Some(part("SessionToken", given.session_token())?),
            given.expiration().copied().map(SystemTime::try_from).transpose()?,
            "Cognito",
        ))
    }

    /// Clones that connect at the same time wait for one answer: a pool gives each guest that asks a new identity.
    async fn resolve_id(&self, client: &Client) -> Result<&CognitoId, Cause> {
        self.identity.get_or_try_init(|| self.ask_pool(client)).await
    }

    async fn ask_pool(&self, client: &Client) -> Result<CognitoId, Cause> {
        let pool = self.origin.id.as_str();
        let request = client.get_id().identity_pool_id(pool).set_logins(self.exposed_logins());
        let answer = request.send().await.map_err(|error| self.failure(error))?;
        let id: CognitoId = answer.identity_id().ok_or("the answer holds no identity ID")?.parse()?;
        log::info!("the identity pool {pool} gave the identity {id}");
        Ok(id)
    }

    fn failure<E>(&self, error: SdkError<E>) -> Cause
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let tokens: Vec<_> = self.logins.values().map(ExposeSecret::expose_secret).collect();
        sdk_failure::of_call(error, &tokens)
    }

    fn exposed_logins(&self) -> Option<HashMap<String, String>> {
        let exposed = |(provider, token): (&String, &SecretString)| {
            (provider.clone(), token.expose_secret().to_owned())
        };
        (!self.logins.is_empty()).then(|| self.logins.iter().map(exposed).collect())
    }
}

impl fmt::Display for CognitoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.origin.id;
        match self.origin.kind {
            OriginKind::Identity => write!(f, "the Cognito identity {id}"),
            OriginKind::Pool => write!(f, "the Cognito identity pool {id}"),
        }
    }
}

/// The ID of an identity or of an identity pool: `<region>:<UUID>`, alike for both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CognitoId {
    text: String,
    /// Where the region ends.
    colon: usize,
}

/// Text that is not the ID of an identity or an identity pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the form <region>:<UUID>, such as us-east-1:12345678-1234-1234-1234-123456789012")]
pub struct InvalidCognitoId;

impl CognitoId {
    /// The ID as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The AWS region that it is in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.text[..self.colon]
    }
}

/// <https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetId.html>
impl FromStr for CognitoId {
    type Err = InvalidCognitoId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (region, uuid) = text.split_once(':').ok_or(InvalidCognitoId)?;
        // The region becomes part of a host name. The parser takes UUIDs without hyphens and in braces, too.
        let is_uuid = uuid.len() == Hyphenated::LENGTH && Uuid::try_parse(uuid).is_ok();
        if region::is_name(region) && is_uuid {
            Ok(Self { text: text.to_owned(), colon: region.len() })
        } else {
            Err(InvalidCognitoId)
        }
    }
}

impl fmt::Display for CognitoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "us-east-1:12345678-1234-1234-1234-123456789012";

    #[test]
    fn ids_are_a_region_and_a_uuid() {
        let id: CognitoId = ID.parse().unwrap();
        assert_eq!((id.as_str(), id.region()), (ID, "us-east-1"));
        for bad in [
            "",
            "us-east-1",
            "12345678-1234-1234-1234-123456789012",
            ":12345678-1234-1234-1234-123456789012",
            "us-east-1:12345678123412341234123456789012",
            "us-east-1:{12345678-1234-1234-1234-123456789012}",
            "evil.example/a-b-c:12345678-1234-1234-1234-123456789012",
            "us-east-1:12345678-1234-1234-1234-12345678901g",
            "us-east-1:12345678-1234-1234-1234-123456789012 ",
        ] {
            assert_eq!(bad.parse::<CognitoId>(), Err(InvalidCognitoId), "{bad:?}");
        }
    }

    #[test]
    fn an_identity_is_known_at_once_and_tokens_are_hidden() {
        let identity = CognitoIdentity::identity(ID.parse().unwrap()).with_login("example.com", "hush");
        assert_eq!(identity.id().map(CognitoId::as_str), Some(ID));
        assert!(identity.is_authenticated());
        assert!(!format!("{identity:?}").contains("hush"));
        assert_eq!(CognitoIdentity::of_pool(ID.parse().unwrap()).id(), None);
    }
}
