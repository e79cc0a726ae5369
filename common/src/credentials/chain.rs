//! The AWS SDK's default chain, link by link: asked as a whole, it does not tell which of its sources failed.

use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;

use super::profile;
use super::sdk_failure::SdkFailure;
use crate::error::Cause;

/// A source of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Environment,
    Profile,
    WebIdentity,
    Container,
    InstanceMetadata,
}

/// The credentials of the first source that is set up, in the order of the SDK's `DefaultCredentialsChain`.
///
/// # Errors
/// [`LinkFailed`] for the one that is set up but has none, [`NothingSetUp`] where there is no such source.
pub(super) async fn resolve(config: &ProviderConfig) -> Result<Credentials, Cause> {
    let links: [(Link, Box<dyn ProvideCredentials>); 5] = [
        (Link::Environment, Box::new(EnvironmentVariableCredentialsProvider::new())),
        (Link::Profile, Box::new(profile::Provider::new(None, profile::default_files(), config))),
        (
            Link::WebIdentity,
            Box::new(WebIdentityTokenCredentialsProvider::builder().configure(config).build()),
        ),
        (Link::Container, Box::new(EcsCredentialsProvider::builder().configure(config).build())),
        (Link::InstanceMetadata, Box::new(ImdsCredentialsProvider::builder().configure(config).build())),
    ];
    let mut passed_over = Vec::new();
    for (link, provider) in links {
        match provider.provide_credentials().await {
            Ok(mut credentials) => {
                log::debug!("AWS credentials from {link}");
                credentials.set_property(link);
                return Ok(credentials);
            }
            Err(reason @ CredentialsError::CredentialsNotLoaded(_)) => {
                passed_over.push((link, SdkFailure::new(reason)))
            }
            Err(error) => return Err(LinkFailed { link, error: SdkFailure::new(error) }.into()),
        }
    }
    Err(NothingSetUp { passed_over }.into())
}

/// A source that is set up, and so ends the chain, but gives no credentials.
#[derive(Debug)]
pub(crate) struct LinkFailed {
    pub(crate) link: Link,
    error: SdkFailure,
}

/// No source of the chain is set up.
#[derive(Debug)]
pub(crate) struct NothingSetUp {
    /// With what the SDK says of each.
    passed_over: Vec<(Link, SdkFailure)>,
}

impl fmt::Display for LinkFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.link)
    }
}

impl StdError for LinkFailed {
    /// Without the SDK's own sentence, which says no more than this one.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source().or(Some(&self.error))
    }
}

impl fmt::Display for NothingSetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none of its sources is set up")?;
        for (index, (link, reason)) in self.passed_over.iter().enumerate() {
            let cause = successors(reason.source(), |&error| error.source()).last();
            let separator = if index == 0 { " (" } else { "; " };
            match cause {
                Some(cause) => write!(f, "{separator}{link}: {cause}")?,
                None => write!(f, "{separator}{link}: not set up")?,
            }
        }
        if self.passed_over.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl StdError for NothingSetUp {}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Link::Environment => "the environment",
            Link::Profile => "the profile",
            Link::WebIdentity => "AWS STS with a web identity token",
            Link::Container => "the container's credentials endpoint",
            Link::InstanceMetadata => "the EC2 metadata service",
        })
    }
}
