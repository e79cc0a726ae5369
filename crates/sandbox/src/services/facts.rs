//! What a client has to know of each service; the same in `sandbox.json`.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// The Amazon Cognito identity pool.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cognito {
    /// The URL of the service.
    pub endpoint: String,
    /// The identity pool; it takes guests and those who log in.
    pub identity_pool_id: String,
    /// An identity of the pool that is a guest: it has credentials for whoever asks.
    pub identity_id: String,
    /// The identity of the login below, which `GetId` gives for it: it has credentials for the login only.
    pub authenticated_identity_id: String,
    /// The name of the one identity provider that the pool trusts.
    pub login_provider: String,
    /// The provider's token for the one user it has.
    pub login_token: String,
}

/// AWS STS, for `AssumeRole`, `AssumeRoleWithWebIdentity` and `GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sts {
    /// The URL of the service.
    pub endpoint: String,
    /// The role that can be assumed.
    pub role_arn: String,
    /// The file with the token that the role is assumed with.
    pub web_identity_token_file: PathBuf,
}

/// The portal of IAM Identity Center.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sso {
    /// The URL of the portal.
    pub endpoint: String,
    /// `sso_start_url` of a profile. There is nothing at this URL: the one token is made at the start.
    pub start_url: String,
    /// `sso_region` of a profile.
    pub region: String,
    /// `sso_account_id` of a profile.
    pub account_id: String,
    /// `sso_role_name` of a profile.
    pub role_name: String,
    /// What a login leaves in the token cache.
    pub access_token: String,
}

/// AWS Sign-In, for a profile made by `aws login`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignIn {
    /// The URL of the service.
    pub endpoint: String,
    /// `login_session` of a profile: the user who has logged in.
    pub login_session: String,
    /// The file that the login has left behind. Its folder is for `AWS_LOGIN_CACHE_DIRECTORY`.
    pub cache_file: PathBuf,
}

/// The metadata services of EC2 and of containers, over plain HTTP as they are on AWS.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Metadata {
    /// For `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    pub endpoint: String,
    /// For `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub container_credentials_uri: String,
    /// For `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    pub container_authorization_token: String,
}

/// The credentials provider of AWS IoT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CredentialsProvider {
    /// Host name and port, as AWS's `describe-endpoint` gives a name without a scheme.
    pub endpoint: String,
    /// The one role alias.
    pub role_alias: String,
}

impl fmt::Debug for Cognito {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cognito")
            .field("endpoint", &self.endpoint)
            .field("identity_pool_id", &self.identity_pool_id)
            .field("identity_id", &self.identity_id)
            .field("authenticated_identity_id", &self.authenticated_identity_id)
            .field("login_provider", &self.login_provider)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Sso {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sso")
            .field("endpoint", &self.endpoint)
            .field("start_url", &self.start_url)
            .field("account_id", &self.account_id)
            .field("role_name", &self.role_name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Metadata")
            .field("endpoint", &self.endpoint)
            .field("container_credentials_uri", &self.container_credentials_uri)
            .finish_non_exhaustive()
    }
}
