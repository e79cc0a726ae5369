use std::env;
use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::error::{ArgsError, first_given, usage};
use super::secret::Secret;
use crate::credentials::{StaticCredentials, check_part};

const ACCESS_KEY_VARIABLE: &str = "AWS_ACCESS_KEY_ID";
const SECRET: Secret =
    Secret { what: "secret access key", flag: "--secret", variable: "AWS_SECRET_ACCESS_KEY" };
const SESSION_TOKEN: Secret =
    Secret { what: "session token", flag: "--session-token", variable: "AWS_SESSION_TOKEN" };

/// An access key that the user gives.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Static credentials")]
pub struct StaticArgs {
    /// Access key ID. The environment's secret is taken for it unless AWS_ACCESS_KEY_ID names another key.
    #[arg(long, value_name = "ID", aliases = ["access_key", "access-key-id", "access_key_id"])]
    pub access_key: Option<String>,

    /// Secret access key [env: AWS_SECRET_ACCESS_KEY]. It shows in process lists and the shell's history:
    /// --secret-file and the environment do not.
    #[arg(long, value_name = "KEY", conflicts_with = "secret_file",
          aliases = ["secret-key", "secret_key", "secret-access-key", "secret_access_key"])]
    pub secret: Option<SecretString>,

    /// File that holds the secret access key.
    #[arg(long, value_name = "FILE", alias = "secret_file")]
    pub secret_file: Option<PathBuf>,

    /// Session token of temporary credentials [env: AWS_SESSION_TOKEN, if the secret access key comes from the
    /// environment, too]. Better in --session-token-file or the environment.
    #[arg(long, value_name = "TOKEN", alias = "session_token", conflicts_with = "session_token_file")]
    pub session_token: Option<SecretString>,

    /// File that holds the session token.
    #[arg(long, value_name = "FILE", alias = "session_token_file")]
    pub session_token_file: Option<PathBuf>,
}

impl StaticArgs {
    pub(super) fn first_given(&self) -> Option<&'static str> {
        first_given(&[
            ("--access-key", self.access_key.is_some()),
            ("--secret", self.secret.is_some()),
            ("--secret-file", self.secret_file.is_some()),
            ("--session-token", self.session_token.is_some()),
            ("--session-token-file", self.session_token_file.is_some()),
        ])
    }

    /// The credentials that the flags and the environment describe together.
    ///
    /// Parts of different credentials would come back as a wrong signature or an invalid token. So the environment's
    /// secret serves only the access key that the environment names, or leaves open; and its session token, which
    /// belongs to its secret, serves no secret that a flag gave.
    ///
    /// # Errors
    ///
    /// Wrong usage where a part is missing, and what reading a file fails with.
    pub(super) fn credentials(&self) -> Result<StaticCredentials, ArgsError> {
        let ambient_key = env::var_os(ACCESS_KEY_VARIABLE).map(|key| key.to_string_lossy().into_owned());
        self.credentials_in(ambient_key.as_deref(), Secret::in_environment)
    }

    fn credentials_in(
        &self,
        ambient_key: Option<&str>,
        ambient: impl Fn(&Secret) -> Result<Option<SecretString>, crate::Error>,
    ) -> Result<StaticCredentials, ArgsError> {
        let Some(access_key) = self.access_key.as_deref().filter(|key| !key.is_empty()) else {
            return Err(usage("static credentials need --access-key").into());
        };
        check("--access-key", Some(&access_key.into()))?;
        let given = non_empty(SECRET.given(self.secret.as_ref(), self.secret_file.as_deref())?);
        let token =
            non_empty(SESSION_TOKEN.given(self.session_token.as_ref(), self.session_token_file.as_deref())?);
        check(origin(SECRET.flag, self.secret.is_some()).as_str(), given.as_ref())?;
        check(origin(SESSION_TOKEN.flag, self.session_token.is_some()).as_str(), token.as_ref())?;
        if let Some(secret) = given {
            return Ok(StaticCredentials::new(access_key, secret, token));
        }
        if ambient_key.is_some_and(|key| !key.trim().is_empty() && key != access_key) {
            return Err(usage(format!(
                "static credentials need both --access-key and --secret or --secret-file: the secret of the \
                 environment belongs to another access key, the one in {ACCESS_KEY_VARIABLE}"
            ))
            .into());
        }
        let Some(secret) = non_empty(ambient(&SECRET)?) else {
            return Err(usage(
                "static credentials need both --access-key and --secret, --secret-file or AWS_SECRET_ACCESS_KEY",
            )
            .into());
        };
        let token = match token {
            Some(token) => Some(token),
            None => ambient(&SESSION_TOKEN)?,
        };
        check(SECRET.variable, Some(&secret))?;
        check(SESSION_TOKEN.variable, token.as_ref())?;
        Ok(StaticCredentials::new(access_key, secret, token))
    }
}

/// The flag that a secret was given with.
fn origin(flag: &str, is_value: bool) -> String {
    if is_value { flag.to_owned() } else { format!("{flag}-file") }
}

/// Refuses, by the name of the flag or the variable, what no part of credentials holds.
fn check(name: &str, part: Option<&SecretString>) -> Result<(), clap::Error> {
    part.map_or(Ok(()), |part| check_part(name, part.expose_secret()).map_err(usage))
}

fn non_empty(secret: Option<SecretString>) -> Option<SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(secret: Option<&str>, token: Option<&str>) -> StaticArgs {
        StaticArgs {
            access_key: Some("AKID".to_owned()),
            secret: secret.map(SecretString::from),
            secret_file: None,
            session_token: token.map(SecretString::from),
            session_token_file: None,
        }
    }

    /// Secret and token, with `environment-secret` and `environment-token` in the environment.
    fn found(args: &StaticArgs, ambient_key: Option<&str>) -> Result<(String, Option<String>), String> {
        let ambient = |secret: &Secret| {
            let value = if secret.flag == "--secret" { "environment-secret" } else { "environment-token" };
            Ok(Some(value.into()))
        };
        let credentials = args.credentials_in(ambient_key, ambient).map_err(|error| error.to_string())?;
        Ok(credentials.expose_for_test())
    }

    #[test]
    fn parts_of_different_credentials_do_not_mix() {
        let environment = ("environment-secret".to_owned(), Some("environment-token".to_owned()));
        assert_eq!(found(&args(None, None), None), Ok(environment.clone()));
        assert_eq!(found(&args(None, None), Some("AKID")), Ok(environment.clone()));
        assert_eq!(found(&args(Some(""), None), Some(" ")), Ok(environment));
        let own = ("environment-secret".to_owned(), Some("t".to_owned()));
        assert_eq!(found(&args(None, Some("t")), None), Ok(own));
        for ambient_key in [None, Some("AKID"), Some("OTHER")] {
            // Credentials that do not expire have none, and a script's variable for it is empty then.
            for no_token in [None, Some("")] {
                assert_eq!(found(&args(Some("s"), no_token), ambient_key), Ok(("s".to_owned(), None)));
            }
            let both = ("s".to_owned(), Some("t".to_owned()));
            assert_eq!(found(&args(Some("s"), Some("t")), ambient_key), Ok(both));
        }
        assert!(found(&args(None, None), Some("OTHER")).unwrap_err().contains("another access key"));
    }
}
