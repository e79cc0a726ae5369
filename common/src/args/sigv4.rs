use clap::{Args, ValueEnum};
use iot_client::Auth;
use iot_transport::Endpoint;

use super::error::{ArgsError, first_given, usage};
use super::{CognitoArgs, ProfileArgs, RegionArgs, StaticArgs, X509CredentialsArgs};
use crate::credentials::CredentialSource;

/// Signature Version 4, and where the credentials for it come from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signature")]
pub struct SigV4Args {
    /// Where the credentials come from [default: what the flags below belong to, else default-chain].
    #[arg(long, value_name = "SOURCE", alias = "credential_source", ignore_case = true)]
    pub credential_source: Option<SourceName>,

    /// The signing region.
    #[command(flatten)]
    pub region: RegionArgs,

    /// For the source `static`.
    #[command(flatten)]
    pub keys: StaticArgs,

    /// For the source `profile`.
    #[command(flatten)]
    pub profile: ProfileArgs,

    /// For the source `cognito`.
    #[command(flatten)]
    pub cognito: CognitoArgs,

    /// For the source `x509`.
    #[command(flatten)]
    pub x509: X509CredentialsArgs,
}

/// The credential sources' names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// The sources of the AWS SDK in its order: environment, profile (login, SSO, credential_process), web identity, ECS, EC2.
    DefaultChain,
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    Environment,
    /// A profile of the AWS config and credentials files.
    Profile,
    /// --access-key, --secret and --session-token.
    Static,
    /// An Amazon Cognito identity.
    Cognito,
    /// AWS IoT's credentials provider, with a client certificate.
    X509,
}

impl SigV4Args {
    /// The way to authenticate that the flags describe.
    ///
    /// # Errors
    ///
    /// Flags that do not fit together, or files that cannot be used.
    pub fn auth(&self, endpoint: &Endpoint) -> Result<Auth, ArgsError> {
        Ok(self.region.sign_with(self.source()?, endpoint)?)
    }

    /// The first of all these flags that was given.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        let own = first_given(&[
            ("--region", self.region.region.is_some()),
            ("--credential-source", self.credential_source.is_some()),
        ]);
        own.or_else(|| self.given().iter().find_map(|(_, flag)| *flag))
    }

    /// The first flag that was given of each source that has flags.
    fn given(&self) -> [(SourceName, Option<&'static str>); 4] {
        [
            (SourceName::Static, self.keys.first_given()),
            (SourceName::Profile, self.profile.first_given()),
            (SourceName::Cognito, self.cognito.first_given()),
            (SourceName::X509, self.x509.first_given()),
        ]
    }

    fn source(&self) -> Result<CredentialSource, ArgsError> {
        let given = self.given();
        let implied = given.iter().find(|(_, flag)| flag.is_some()).map(|(source, _)| *source);
        let source = self.credential_source.or(implied).unwrap_or(SourceName::DefaultChain);
        let stray = given.iter().find_map(|(owner, flag)| flag.filter(|_| *owner != source));
        if let Some(flag) = stray {
            let name =
                source.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            return Err(usage(format!("{flag} means nothing to the credential source {name}")).into());
        }
        Ok(match source {
            SourceName::DefaultChain => CredentialSource::DefaultChain,
            SourceName::Environment => CredentialSource::Environment,
            SourceName::Profile => self.profile.source(),
            SourceName::Static => CredentialSource::Static(self.keys.credentials()?),
            SourceName::Cognito => self.cognito.source()?,
            SourceName::X509 => self.x509.source()?,
        })
    }
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
