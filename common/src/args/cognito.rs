use std::path::Path;

use clap::Args;
use iot_client::Auth;
use iot_transport::Endpoint;
use secrecy::{ExposeSecret, SecretString};

use super::RegionArgs;
use super::error::{ArgsError, first_given, usage};
use super::secret::Secret;
use crate::credentials::{CognitoId, CognitoIdentity, CredentialSource};

/// One login; the flag may be repeated, the variable holds one.
const LOGIN: Secret = Secret { what: "login token", flag: "--login", variable: "AWS_IOT_LOGIN" };

/// An identity of an Amazon Cognito identity pool.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cognito identity")]
pub struct CognitoArgs {
    /// ID of the Cognito identity, such as us-east-1:12345678-1234-1234-1234-123456789012.
    #[arg(long, value_name = "ID", alias = "cognito_identity", conflicts_with = "cognito_identity_pool")]
    pub cognito_identity: Option<CognitoId>,

    /// ID of the Cognito identity pool, which gives the identity. It has the same form.
    #[arg(long, value_name = "ID", alias = "cognito_identity_pool")]
    pub cognito_identity_pool: Option<CognitoId>,

    /// Login of an authenticated identity: an identity provider's name and the token that it gave
    /// [env: AWS_IOT_LOGIN]. It shows in process lists: --login-file and the environment do not.
    #[arg(long, value_name = "PROVIDER=TOKEN")]
    pub login: Vec<SecretString>,

    /// The same, with the token in a file.
    #[arg(long, value_name = "PROVIDER=FILE", alias = "login_file")]
    pub login_file: Vec<String>,
}

impl CognitoArgs {
    /// WebSocket, signed with the identity's credentials.
    ///
    /// # Errors
    ///
    /// Wrong usage, or [`iot_transport::Error::File`] for a token that cannot be read.
    pub fn auth(&self, region: &RegionArgs, endpoint: &Endpoint) -> Result<Auth, ArgsError> {
        Ok(region.sign_with(self.source()?, endpoint)?)
    }

    pub(super) fn first_given(&self) -> Option<&'static str> {
        first_given(&[
            ("--cognito-identity", self.cognito_identity.is_some()),
            ("--cognito-identity-pool", self.cognito_identity_pool.is_some()),
            ("--login", !self.login.is_empty()),
            ("--login-file", !self.login_file.is_empty()),
        ])
    }

    pub(super) fn source(&self) -> Result<CredentialSource, ArgsError> {
        let mut identity = match (&self.cognito_identity, &self.cognito_identity_pool) {
            (Some(id), _) => CognitoIdentity::identity(id.clone()),
            (None, Some(pool)) => CognitoIdentity::of_pool(pool.clone()),
            (None, None) => {
                return Err(usage("--cognito-identity or --cognito-identity-pool is needed").into());
            }
        };
        let mut providers = Vec::new();
        for (provider, token) in self.logins()? {
            if providers.contains(&provider) {
                return Err(usage(format!("there are two logins of the provider {provider}")).into());
            }
            providers.push(provider.clone());
            identity = identity.with_login(provider, token);
        }
        Ok(CredentialSource::Cognito(identity))
    }

    /// Providers and their tokens.
    fn logins(&self) -> Result<Vec<(String, SecretString)>, ArgsError> {
        let mut logins = Vec::new();
        for login in &self.login {
            logins.push(split("--login", login)?);
        }
        for login in &self.login_file {
            let Some((provider, file)) = login.split_once('=').filter(|(provider, _)| !provider.is_empty())
            else {
                return Err(usage("--login-file: expected PROVIDER=FILE").into());
            };
            if let Some(token) = LOGIN.given(None, Some(Path::new(file)))? {
                logins.push((provider.to_owned(), token));
            }
        }
        if logins.is_empty()
            && let Some(login) = LOGIN.in_environment()?
        {
            logins.push(split(LOGIN.variable, &login)?);
        }
        match logins.iter().find(|(_, token)| token.expose_secret().is_empty()) {
            Some((provider, _)) => Err(usage(format!("the login token of {provider} is empty")).into()),
            None => Ok(logins),
        }
    }
}

/// Not a value parser: clap would show the token with its complaint.
fn split(from: &str, login: &SecretString) -> Result<(String, SecretString), clap::Error> {
    match login.expose_secret().split_once('=') {
        Some((provider, token)) if !provider.is_empty() => Ok((provider.to_owned(), token.into())),
        _ => Err(usage(format!("{from}: expected PROVIDER=TOKEN"))),
    }
}
