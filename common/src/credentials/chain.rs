//! The AWS SDK's default chain, link by link: asked as a whole, it does not tell which of its sources failed.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::Credentials;
use iot_transport::text::Chain;
use iot_transport::{Cause, Route};

use super::metadata::{self, Absent};
use super::profile::{self, NoCredentials, NoSuchProfile};
use super::services::Role;
use super::settings::Settings;
use super::{config_files, environment};

/// A source of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Environment,
    Profile,
    WebIdentity,
    Container,
    InstanceMetadata,
}

/// The credentials of the first source that is set up, in the order of the SDK's `DefaultCredentialsChain`. STS is asked
/// in `region`.
///
/// # Errors
/// [`LinkFailed`] for the one that is set up but has none, [`NothingSetUp`] where there is no such source.
pub(super) async fn resolve(region: &str, route: &Route) -> Result<Credentials, Cause> {
    let failed = |link, error: Cause| -> Cause { LinkFailed { link, error }.into() };
    let of_environment = environment::credentials().map_err(|error| failed(Link::Environment, error))?;
    if let Some(credentials) = of_environment {
        return Ok(told(Link::Environment, credentials));
    }
    let mut passed_over = vec![(Link::Environment, environment::not_set())];
    let named_profile = environment::variable("AWS_PROFILE")?;
    let (settings, mut links) = match config_files::find(None, None) {
        Ok(files) => {
            let settings = Settings::of(files, None, route).await;
            (settings.map_err(|error| failed(Link::Profile, error))?, vec![Link::Profile])
        }
        // A service may have been given a home directory that it may not read; then another source is meant.
        Err(error @ iot_transport::Error::File { .. }) if named_profile.is_none() => {
            log::warn!("the profile is passed over: {}", Chain(&error));
            passed_over.push((Link::Profile, Chain(&error).to_string()));
            (Settings::without_files(route).await?, Vec::new())
        }
        Err(error) => return Err(failed(Link::Profile, error.into())),
    };
    links.extend([Link::WebIdentity, Link::Container, Link::InstanceMetadata]);
    for link in links {
        let asked = match link {
            Link::Profile => profile::credentials(&settings, region).await,
            Link::WebIdentity => web_identity(&settings, region).await,
            Link::Container => metadata::container(&settings).await,
            Link::InstanceMetadata | Link::Environment => metadata::instance(&settings).await,
        };
        match (asked, &named_profile) {
            (Ok(credentials), _) => return Ok(told(link, credentials)),
            (Err(reason), Some(name)) if reason.is::<NoSuchProfile>() => {
                // The next source would connect as somebody else.
                return Err(format!("AWS_PROFILE names the profile \"{name}\": {reason}").into());
            }
            (Err(reason), _)
                if reason.is::<Absent>() || reason.is::<NoCredentials>() || reason.is::<NoSuchProfile>() =>
            {
                passed_over.push((link, reason.to_string()));
            }
            (Err(error), _) => return Err(failed(link, error)),
        }
    }
    Err(NothingSetUp { passed_over }.into())
}

fn told(link: Link, mut credentials: Credentials) -> Credentials {
    log::debug!("AWS credentials from {link}");
    credentials.set_property(link);
    credentials
}

/// <https://docs.aws.amazon.com/sdkref/latest/guide/access-assume-role.html>
async fn web_identity(settings: &Settings, region: &str) -> Result<Credentials, Cause> {
    let variable = |name: &str| match environment::variable(name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Absent::because(format!("{name} is not set")).into()),
        Err(error) => Err(error),
    };
    let file = variable("AWS_WEB_IDENTITY_TOKEN_FILE")?;
    let role = Role {
        arn: variable("AWS_ROLE_ARN")?,
        session_name: environment::variable("AWS_ROLE_SESSION_NAME")?,
        external_id: None,
    };
    settings.assume_with_token(&role, region, file.into()).await
}

/// A source that is set up, and so ends the chain, but gives no credentials.
#[derive(Debug)]
pub(crate) struct LinkFailed {
    pub(crate) link: Link,
    error: Cause,
}

/// No source of the chain is set up.
#[derive(Debug)]
pub(crate) struct NothingSetUp {
    /// With the reason of each.
    passed_over: Vec<(Link, String)>,
}

impl fmt::Display for LinkFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.link)
    }
}

impl StdError for LinkFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.error)
    }
}

impl fmt::Display for NothingSetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none of its sources is set up")?;
        for (index, (link, reason)) in self.passed_over.iter().enumerate() {
            let separator = if index == 0 { " (" } else { "; " };
            write!(f, "{separator}{link}: {reason}")?;
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
