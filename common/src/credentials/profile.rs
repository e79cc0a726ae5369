//! Profiles of the AWS configuration files.

use std::path::Path;

use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileLoadError, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
pub(super) use aws_runtime::env_config::file::Builder as Files;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};

use super::process::CredentialProcess;
use crate::error::{Cause, Error};

/// The files to read: those that were named, and the usual ones in place of what was not.
///
/// # Errors
/// [`Error::File`] when a named file cannot be read.
pub(super) fn files(config: Option<&Path>, credentials: Option<&Path>) -> Result<Files, Error> {
    let mut files = EnvConfigFiles::builder()
        .include_default_config_file(config.is_none())
        .include_default_credentials_file(credentials.is_none());
    for (kind, what, path) in [
        (EnvConfigFileKind::Config, "AWS config file", config),
        (EnvConfigFileKind::Credentials, "AWS credentials file", credentials),
    ] {
        if let Some(path) = path {
            std::fs::File::open(path).map_err(|source| Error::File {
                what,
                path: path.to_owned(),
                source,
            })?;
            files = files.with_file(kind, path);
        }
    }
    Ok(files)
}

/// The usual files, where they are and where `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` put them.
pub(super) fn default_files() -> Files {
    EnvConfigFiles::builder().include_default_config_file(true).include_default_credentials_file(true)
}

/// Refuses a profile that is in none of the files; `None` is the one that `AWS_PROFILE` names, or `default`.
pub(super) async fn check(name: Option<&str>, files: &Files) -> Result<(), Cause> {
    let profiles = load(None, files).await?;
    let name = name.unwrap_or_else(|| profiles.selected_profile());
    if profiles.get_profile(name).is_some() {
        return Ok(());
    }
    let mut others: Vec<_> = profiles.profiles().collect();
    others.sort_unstable();
    Err(if others.is_empty() {
        "the AWS configuration files define no profile".into()
    } else {
        format!("there is no such profile, only {}", others.join(", ")).into()
    })
}

async fn load(name: Option<&str>, files: &Files) -> Result<ProfileSet, ProfileFileLoadError> {
    let name = name.map(|name| name.to_owned().into());
    aws_config::profile::load(&Fs::real(), &Env::real(), &files.clone().build(), name).await
}

/// The credentials of a profile: the SDK's provider, but for a `credential_process`.
#[derive(Debug)]
pub(super) struct Provider {
    name: Option<String>,
    files: Files,
    config: ProviderConfig,
}

/// Under which name the SDK is given the credentials that a `credential_process` has printed, and the profile that takes
/// them.
const PRINTED: &str = "credential_process.output";

impl Provider {
    /// `None` is the profile that `AWS_PROFILE` names, or `default`.
    pub(super) fn new(name: Option<&str>, files: Files, config: &ProviderConfig) -> Self {
        Self { name: name.map(ToOwned::to_owned), files, config: config.clone() }
    }

    async fn credentials(&self) -> provider::Result {
        let mut builder = ProfileFileCredentialsProvider::builder().configure(&self.config);
        let mut files = self.files.clone();
        // Files that cannot be parsed are the SDK's to report.
        let profiles = load(self.name.as_deref(), &files).await.ok();
        if let Some(process) = profiles.as_ref().and_then(CredentialProcess::of) {
            let printed = process.run().await.map_err(CredentialsError::provider_error)?;
            let Some(assumed_by) = process.assumed_by else { return Ok(printed) };
            let source = format!(
                "[profile {assumed_by}]\nsource_profile = {PRINTED}\n[profile {PRINTED}]\ncredential_source = {PRINTED}\n"
            );
            files = files.with_contents(EnvConfigFileKind::Config, source);
            builder = builder.with_custom_provider(PRINTED, printed);
        }
        if let Some(name) = &self.name {
            builder = builder.profile_name(name);
        }
        builder.profile_files(files.build()).build().provide_credentials().await
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
