//! Where AWS credentials can come from.

use std::fmt;
use std::path::PathBuf;

use aws_credential_types::Credentials;
use iot_transport::Cause;
use secrecy::{ExposeSecret, SecretString};

use super::{CognitoIdentity, X509Credentials};

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
    /// Temporary credentials of an Amazon Cognito identity.
    Cognito(CognitoIdentity),
    /// Temporary credentials that AWS IoT's credentials provider gives for a client certificate.
    X509(X509Credentials),
}

/// Credentials that the program was given. Its `Debug` hides the secret key and the token.
#[derive(Debug, Clone)]
pub struct StaticCredentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

impl StaticCredentials {
    /// An access key, and the session token that belongs to a temporary one.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<SecretString>,
        session_token: Option<SecretString>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token,
        }
    }

    /// The secret key and the token.
    #[cfg(test)]
    pub(crate) fn expose_for_test(&self) -> (String, Option<String>) {
        let exposed = |secret: &SecretString| secret.expose_secret().to_owned();
        (exposed(&self.secret_access_key), self.session_token.as_ref().map(exposed))
    }

    pub(super) fn load(&self) -> Result<Credentials, Cause> {
        let secret = self.secret_access_key.expose_secret();
        if self.access_key_id.is_empty() {
            return Err("the access key ID is empty".into());
        }
        if secret.is_empty() {
            return Err("the secret access key is empty".into());
        }
        let token = self.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        let token = token.filter(|token| !token.is_empty());
        Ok(Credentials::new(&self.access_key_id, secret, token, None, "Static"))
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
            CredentialSource::Cognito(identity) => identity.fmt(f),
            CredentialSource::X509(provider) => provider.fmt(f),
        }
    }
}
