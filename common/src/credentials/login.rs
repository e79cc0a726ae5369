//! Profiles made by `aws login` (<https://docs.aws.amazon.com/sdkref/latest/guide/access-login.html>).
//!
//! The SDK's provider reads what the login has left, and renews it at AWS Sign-In.

use std::env;
use std::fs;
use std::path::PathBuf;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_lc_rs::digest;
use aws_runtime::fs_util::{Os, home_dir};
use aws_sdk_signin::error::ProvideErrorMetadata;
use aws_sdk_signin::operation::create_o_auth2_token::CreateOAuth2TokenError;
use aws_types::os_shim_internal::Env;
use iot_transport::text::links;
use iot_transport::{Cause, region};
use serde_json::Value;

use super::refusal::without;
use super::sdk_failure;
use super::settings::Settings;

/// The beginnings of the SDK's sentences about a file that it cannot use. They show nothing of the file.
const UNUSABLE: [&str; 2] = ["missing field `", "failed to load cached Login token: invalid secret key"];

/// The answers of AWS Sign-In that only another login changes
/// (<https://docs.aws.amazon.com/signin/latest/APIReference/API_CreateOAuth2Token.html>).
const INVALID: [&str; 2] = ["AccessDeniedException", "ValidationException"];

/// The session of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// The ARN of the user who has logged in.
    pub(super) session: String,
    /// The region of the profile.
    pub(super) region: Option<String>,
}

/// There is no login that credentials can be taken from.
#[derive(Debug, thiserror::Error)]
#[error("there is no valid login (`aws login`) of {session}")]
pub(super) struct LoginInvalid {
    session: String,
    source: Cause,
}

impl LoginInvalid {
    pub(super) fn hint(&self) -> String {
        "run `aws login`, with --profile for another than the default profile".to_owned()
    }
}

impl Login {
    /// The credentials of the login. AWS Sign-In, which renews those that have less than five minutes left, is asked in
    /// the region of the login, as the AWS CLI does; `region` is for a login and a profile that name none.
    pub(super) async fn credentials(&self, settings: &Settings, region: &str) -> Result<Credentials, Cause> {
        let cached = self.cached().map_err(|source| self.invalid(source))?;
        let known = [cached["signInRegion"].as_str(), self.region.as_deref()];
        let region = known.into_iter().flatten().find(|name| region::is_name(name)).unwrap_or(region);
        let provider = settings.login(&self.session, region).await?;
        let secret = cached["refreshToken"].as_str().unwrap_or_default();
        provider.provide_credentials().await.map_err(|error| self.failure(error, secret))
    }

    /// `secret` is the refresh token, which the service may repeat.
    fn failure(&self, error: CredentialsError, secret: &str) -> Cause {
        if let Some(refusal) = links(&error).find_map(|link| link.downcast_ref::<CreateOAuth2TokenError>())
            && let Some(code) = refusal.code()
        {
            let (shown, message) =
                (without(code, &[secret]), without(refusal.message().unwrap_or_default(), &[secret]));
            let reason = format!("AWS Sign-In does not renew it ({shown}): {message}");
            return match INVALID.contains(&code) {
                true => self.invalid(reason.into()).into(),
                false => format!("the login (`aws login`) of {}: {reason}", self.session).into(),
            };
        }
        let unusable = links(&error)
            .map(ToString::to_string)
            .find(|sentence| UNUSABLE.iter().any(|known| sentence.starts_with(known)));
        match unusable {
            Some(sentence) => self.invalid(sentence.into()).into(),
            None => sdk_failure::of(error),
        }
    }

    fn cached(&self) -> Result<Value, Cause> {
        let directory = match env::var_os("AWS_LOGIN_CACHE_DIRECTORY") {
            // The SDK would look in the working directory.
            Some(directory) if directory.is_empty() => {
                return Err("AWS_LOGIN_CACHE_DIRECTORY is set but empty: unset it".into());
            }
            Some(directory) => PathBuf::from(directory),
            None => {
                let home = home_dir(&Env::real(), Os::real()).ok_or("there is no home directory")?;
                PathBuf::from(home).join(".aws/login/cache")
            }
        };
        let name = hex::encode(digest::digest(&digest::SHA256, self.session.trim().as_bytes()));
        let file = directory.join(name).with_extension("json");
        let cached = fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let cached = serde_json::from_slice(&cached).ok().filter(Value::is_object);
        cached.ok_or_else(|| format!("{} is not JSON", file.display()).into())
    }

    fn invalid(&self, source: Cause) -> LoginInvalid {
        LoginInvalid { session: self.session.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_signin::error::ErrorMetadata;
    use iot_transport::text::Chain;

    use super::*;

    #[test]
    fn only_an_answer_that_refuses_the_login_asks_for_another_one() {
        let login = Login { session: "arn:aws:iam::1:user/me".to_owned(), region: None };
        for (code, is_invalid) in [
            ("AccessDeniedException", true),
            ("ValidationException", true),
            ("TooManyRequestsError", false),
            ("InternalServerException", false),
        ] {
            let answer = ErrorMetadata::builder().code(code).message("not with hush").build();
            let error = CredentialsError::provider_error(CreateOAuth2TokenError::generic(answer));
            let cause = login.failure(error, "hush");
            assert_eq!(cause.is::<LoginInvalid>(), is_invalid, "{code}");
            let text = Chain(&*cause).to_string();
            assert!(text.ends_with(&format!("AWS Sign-In does not renew it ({code}): not with …")), "{text}");
            assert!(text.contains(&login.session), "{text}");
        }
    }
}
