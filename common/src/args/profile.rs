use std::path::PathBuf;

use clap::Args;

use super::error::first_given;
use crate::credentials::CredentialSource;

/// A profile of the AWS configuration files.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Profile")]
pub struct ProfileArgs {
    /// Profile of the AWS config and credentials files; the default chain reads AWS_PROFILE.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// The AWS config file instead of ~/.aws/config; the default chain reads AWS_CONFIG_FILE.
    #[arg(long, value_name = "FILE", alias = "config_file")]
    pub config_file: Option<PathBuf>,

    /// The AWS credentials file instead of ~/.aws/credentials; the default chain reads
    /// AWS_SHARED_CREDENTIALS_FILE.
    #[arg(long, value_name = "FILE", alias = "credentials_file")]
    pub credentials_file: Option<PathBuf>,
}

impl ProfileArgs {
    pub(super) fn first_given(&self) -> Option<&'static str> {
        first_given(&[
            ("--profile", self.profile.is_some()),
            ("--config-file", self.config_file.is_some()),
            ("--credentials-file", self.credentials_file.is_some()),
        ])
    }

    pub(super) fn source(&self) -> CredentialSource {
        CredentialSource::Profile {
            name: self.profile.clone(),
            config_file: self.config_file.clone(),
            credentials_file: self.credentials_file.clone(),
        }
    }
}
