//! Profiles of the AWS configuration files.

use std::path::Path;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};

use crate::error::{Cause, Error};

/// The files to read: those that were named, and the usual ones in place of what was not.
///
/// # Errors
/// [`Error::File`] when a named file cannot be read.
pub(super) fn files(config: Option<&Path>, credentials: Option<&Path>) -> Result<EnvConfigFiles, Error> {
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
    Ok(files.build())
}

/// The usual files, where they are and where `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` put them.
pub(super) fn default_files() -> EnvConfigFiles {
    EnvConfigFiles::default()
}

/// Refuses a profile that is in none of the files; `None` is the one that `AWS_PROFILE` names, or `default`.
pub(super) async fn check(name: Option<&str>, files: &EnvConfigFiles) -> Result<(), Cause> {
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), files, None).await?;
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

pub(super) fn provider(
    name: Option<&str>,
    files: EnvConfigFiles,
    config: &ProviderConfig,
) -> ProfileFileCredentialsProvider {
    let mut builder = ProfileFileCredentialsProvider::builder().configure(config).profile_files(files);
    if let Some(name) = name {
        builder = builder.profile_name(name);
    }
    builder.build()
}
