use std::env;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::usage;
use crate::credentials::{CredentialSource, StaticCredentials};
use crate::endpoint::Endpoint;
use crate::transport::Auth;

/// Signature Version 4, and where the credentials for it come from.
#[derive(Clone, Args)]
#[command(next_help_heading = "AWS credentials")]
pub struct SigV4Args {
    /// The AWS region of the endpoint; read from the endpoint's name where it can be, else from AWS_REGION or
    /// AWS_DEFAULT_REGION.
    #[arg(long, visible_alias = "signing-region", alias = "signing_region")]
    pub region: Option<String>,

    /// Where the credentials come from [default: static with --access-key, profile with --profile,
    /// --config-file or --credentials-file, else default-chain].
    #[arg(long, value_name = "SOURCE", alias = "credential_source")]
    pub credential_source: Option<SourceName>,

    /// Access key ID of static credentials; the environment source reads AWS_ACCESS_KEY_ID.
    #[arg(long, value_name = "ID", aliases = ["access_key", "access-key-id", "access_key_id"])]
    pub access_key: Option<String>,

    /// Secret access key of static credentials; the environment source reads AWS_SECRET_ACCESS_KEY, which, unlike
    /// this flag, does not show in process lists.
    #[arg(long, value_name = "KEY",
          aliases = ["secret-key", "secret_key", "secret-access-key", "secret_access_key"])]
    pub secret: Option<String>,

    /// Session token of temporary static credentials; the environment source reads AWS_SESSION_TOKEN.
    #[arg(long, value_name = "TOKEN", alias = "session_token")]
    pub session_token: Option<String>,

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

/// The credential sources' names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// What the AWS SDK looks through: environment, profile, web identity, SSO, ECS, EC2.
    DefaultChain,
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    Environment,
    /// A profile of the AWS config and credentials files.
    Profile,
    /// --access-key, --secret and --session-token.
    Static,
}

impl SigV4Args {
    /// The way to authenticate that the flags describe.
    ///
    /// # Errors
    ///
    /// Flags that do not fit together; `exit()` on the error shows it and ends the process with code 2.
    pub fn auth(&self, endpoint: &Endpoint) -> Result<Auth, clap::Error> {
        let region = self.signing_region(endpoint, |name| env::var(name).ok())?;
        Ok(Auth::SigV4 { credentials: self.source()?, region })
    }

    fn signing_region(
        &self,
        endpoint: &Endpoint,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<String, clap::Error> {
        match (self.region.as_deref(), endpoint.region()) {
            (Some(flag), Some(named)) if flag != named => Err(usage(format!(
                "--region {flag} contradicts the region in the name of --endpoint {}, which is {named}",
                endpoint.host()
            ))),
            (Some(region), _) => check_region("--region", region),
            (None, Some(region)) => Ok(region.to_owned()),
            (None, None) => {
                let set =
                    |name| variable(name).filter(|region| !region.is_empty()).map(|region| (name, region));
                match set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")) {
                    Some((name, region)) => check_region(name, &region),
                    None => Err(usage(format!(
                        "--region (or AWS_REGION) is needed: the name of --endpoint {} does not tell it",
                        endpoint.host()
                    ))),
                }
            }
        }
    }

    fn source(&self) -> Result<CredentialSource, clap::Error> {
        let keys = [
            ("--access-key", self.access_key.is_some()),
            ("--secret", self.secret.is_some()),
            ("--session-token", self.session_token.is_some()),
        ];
        let files = [
            ("--profile", self.profile.is_some()),
            ("--config-file", self.config_file.is_some()),
            ("--credentials-file", self.credentials_file.is_some()),
        ];
        let given =
            |flags: &[(&'static str, bool)]| flags.iter().find(|(_, given)| *given).map(|(flag, _)| *flag);
        let source = self.credential_source.unwrap_or(match (given(&keys), given(&files)) {
            (Some(_), _) => SourceName::Static,
            (None, Some(_)) => SourceName::Profile,
            (None, None) => SourceName::DefaultChain,
        });
        let stray = match source {
            SourceName::Static => given(&files),
            SourceName::Profile => given(&keys),
            SourceName::DefaultChain | SourceName::Environment => given(&keys).or(given(&files)),
        };
        if let Some(flag) = stray {
            let name =
                source.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            return Err(usage(format!("{flag} means nothing to the credential source {name}")));
        }
        Ok(match source {
            SourceName::DefaultChain => CredentialSource::DefaultChain,
            SourceName::Environment => CredentialSource::Environment,
            SourceName::Profile => CredentialSource::Profile {
                name: self.profile.clone(),
                config_file: self.config_file.clone(),
                credentials_file: self.credentials_file.clone(),
            },
            SourceName::Static => match (non_empty(&self.access_key), non_empty(&self.secret)) {
                (Some(access_key), Some(secret)) => CredentialSource::Static(StaticCredentials::new(
                    access_key,
                    secret,
                    non_empty(&self.session_token),
                )),
                _ => return Err(usage("static credentials need both --access-key and --secret")),
            },
        })
    }
}

fn non_empty(value: &Option<String>) -> Option<String> {
    value.clone().filter(|value| !value.is_empty())
}

/// A region becomes part of what is signed; a typing error would come back as a wrong signature.
fn check_region(from: &str, region: &str) -> Result<String, clap::Error> {
    let plausible = region.split('-').count() >= 3
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && region.ends_with(|last: char| last.is_ascii_digit());
    match plausible {
        true => Ok(region.to_owned()),
        false => Err(usage(format!("{from} {region:?} is not the name of an AWS region, such as us-east-1"))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        sigv4: SigV4Args,
    }

    fn args(flags: &[&str]) -> SigV4Args {
        Cli::try_parse_from([&["cli"], flags].concat()).unwrap_or_else(|error| panic!("{error}")).sigv4
    }

    fn region(host: &str, flags: &[&str], ambient: Option<&str>) -> Result<String, String> {
        let endpoint = Endpoint::parse(host).unwrap();
        // An empty variable counts as unset.
        let variable = |name: &str| match name {
            "AWS_REGION" => Some(String::new()),
            _ => ambient.map(str::to_owned),
        };
        args(flags).signing_region(&endpoint, variable).map_err(|error| error.to_string())
    }

    const AWS: &str = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";

    #[test]
    fn the_region_comes_from_the_flag_the_name_or_the_environment() {
        assert_eq!(region(AWS, &[], Some("us-east-2")).as_deref(), Ok("eu-west-1"));
        assert_eq!(region(AWS, &["--region", "eu-west-1"], None).as_deref(), Ok("eu-west-1"));
        assert_eq!(region("localhost", &["--signing_region", "us-east-1"], None).as_deref(), Ok("us-east-1"));
        assert_eq!(region("localhost", &[], Some("us-gov-west-1")).as_deref(), Ok("us-gov-west-1"));
        let error = region(AWS, &["--region", "us-east-1"], None).unwrap_err();
        assert!(error.contains("us-east-1") && error.contains("eu-west-1"), "{error}");
        assert!(region("localhost", &[], None).unwrap_err().contains("--region"));
        assert!(region("localhost", &[], Some("foo")).unwrap_err().contains("AWS_DEFAULT_REGION"));
        for bad in ["", "us east 1", "US-EAST-1", "localhost"] {
            assert!(region("localhost", &["--region", bad], None).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_source_follows_from_the_flags() {
        let source = |flags: &[&str]| args(flags).source().map_err(|error| error.to_string());
        assert!(matches!(source(&[]), Ok(CredentialSource::DefaultChain)));
        assert!(matches!(source(&["--profile", "dev"]), Ok(CredentialSource::Profile { .. })));
        let keys = ["--access_key_id", "AKID", "--secret_access_key", "s"];
        assert!(matches!(source(&keys), Ok(CredentialSource::Static(_))));
        for (flags, word) in [
            (&["--access-key", "AKID"][..], "--secret"),
            (&["--secret", "s"], "--access-key"),
            (&["--access-key", "AKID", "--secret", ""], "--secret"),
            (&["--access-key", "AKID", "--secret", "s", "--profile", "dev"], "--profile"),
            (&["--credential-source", "environment", "--secret", "s"], "--secret"),
            (&["--credential-source", "default-chain", "--config-file", "f"], "--config-file"),
        ] {
            let error = source(flags).err().unwrap_or_default();
            assert!(error.contains(word), "{flags:?}: {error}");
        }
    }
}
