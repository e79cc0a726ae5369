//! The metadata services of EC2 and of containers.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use iot_transport::Cause;
use iot_transport::text::one_line;

use super::settings::{InvalidSetting, Setting, Settings};
use super::{environment, sdk_failure};

const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// A source that is not set up, or not there; the reason is its message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Absent(String);

impl Absent {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The credentials of this EC2 instance's role.
///
/// # Errors
/// [`Absent`] where there is no metadata service, or it knows of no role.
pub(super) async fn instance(settings: &Settings) -> Result<Credentials, Cause> {
    let client = imds::Client::builder().configure(&settings.metadata());
    // Always given, as the SDK takes an empty variable for an address.
    let address = match settings.url("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")? {
        Some(url) => url,
        None => usual_address(settings)?.to_owned(),
    };
    let client = client.endpoint(address).map_err(sdk_failure::of)?;
    ask(ImdsCredentialsProvider::builder().imds_client(client.build()).build()).await
}

/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>
fn usual_address(settings: &Settings) -> Result<&'static str, Cause> {
    let mode =
        settings.find("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")?;
    let Some(Setting { name, value }) = mode else { return Ok("http://169.254.169.254") };
    match value.to_ascii_lowercase().as_str() {
        "ipv4" => Ok("http://169.254.169.254"),
        "ipv6" => Ok("http://[fd00:ec2::254]"),
        _ => Err(InvalidSetting(format!("{name} {:?} is neither IPv4 nor IPv6", one_line(&value))).into()),
    }
}

/// The credentials of this container's role.
///
/// # Errors
/// [`Absent`] where no variable names the container's service.
pub(super) async fn container(settings: &Settings) -> Result<Credentials, Cause> {
    let set = |name| Ok::<_, Cause>(environment::variable(name)?.is_some());
    if !(set(RELATIVE_URI)? || set(FULL_URI)?) {
        return Err(Absent::because(format!("neither {RELATIVE_URI} nor {FULL_URI} is set")).into());
    }
    // The SDK prefers these two to their other form even when they are empty.
    for (empty, other) in [(RELATIVE_URI, FULL_URI), (TOKEN_FILE, TOKEN)] {
        if set(other)? && !set(empty)? && std::env::var_os(empty).is_some() {
            return Err(format!("{empty} is set but empty, and hides {other}: unset it").into());
        }
    }
    if !set(RELATIVE_URI)? {
        settings.url(FULL_URI, "")?;
    }
    ask(EcsCredentialsProvider::builder().configure(&settings.metadata()).build()).await
}

async fn ask(provider: impl ProvideCredentials) -> Result<Credentials, Cause> {
    provider.provide_credentials().await.map_err(|error| {
        let is_absent = matches!(error, CredentialsError::CredentialsNotLoaded(_));
        let reason = sdk_failure::of(error);
        if is_absent { Absent::because(sdk_failure::innermost(&*reason)).into() } else { reason }
    })
}
