//! Whose credentials these are, as AWS STS has it.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use iot_transport::{Cause, HttpRefusal, Route};
use tokio::time::timeout;

use super::settings::{Service, Settings};
use super::{ExaminedCredentials, refusal, sdk_failure};

/// Whom AWS takes the holder of credentials for
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallerIdentity {
    /// The number of the AWS account.
    pub account: String,
    /// The user, or the session of a role: `arn:aws:sts::<account>:assumed-role/<role>/<session>`.
    pub arn: String,
}

/// Why it is not known whose credentials they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallerUnknown {
    /// STS does not take the credentials, and so no service of AWS does: the call needs no permission.
    #[error("AWS STS refuses the credentials")]
    #[non_exhaustive]
    Refused {
        /// What is wrong with them.
        fault: CredentialFault,
        /// The answer.
        source: Cause,
    },
    /// A setting of the environment or of a profile keeps STS from being asked.
    #[error("AWS STS cannot be asked whose credentials they are")]
    #[non_exhaustive]
    Unasked {
        /// Which setting, and what is wrong with it.
        source: Cause,
    },
    /// STS was not reached, or had something else to say.
    #[error("AWS STS does not say whose credentials they are")]
    #[non_exhaustive]
    Unanswered {
        /// Why.
        source: Cause,
    },
}

/// What is wrong with credentials, by the code of STS's refusal
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialFault {
    /// `InvalidClientTokenId`: there is no such access key, or the session token is not the one that belongs to it.
    UnknownKey,
    /// `SignatureDoesNotMatch`: the secret access key is not the one that belongs to the access key ID.
    WrongSecret,
    /// `SignatureDoesNotMatch`, because the signature seems to be more than five minutes off.
    Clock,
    /// `ExpiredToken`: temporary credentials that have ended.
    Expired,
    /// `IncompleteSignature`: something that cannot be an access key.
    Malformed,
}

impl ExaminedCredentials {
    /// Asks AWS STS in `region`, over `route`, whose credentials these are. `limit` is for all of it, and STS is asked
    /// once. `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL` and their settings in a profile name another endpoint.
    ///
    /// # Errors
    /// [`CallerUnknown`].
    pub async fn caller_identity(
        &self,
        region: &str,
        route: &Route,
        limit: Duration,
    ) -> Result<CallerIdentity, CallerUnknown> {
        // The SDK's futures are deep, and the compiler follows them only so far into the one that holds this.
        let asking = Box::pin(ask(self.credentials.clone(), region.to_owned(), route));
        timeout(limit, asking).await.unwrap_or_else(|_| {
            Err(CallerUnknown::Unanswered {
                source: format!("no answer within {} s", limit.as_secs_f32()).into(),
            })
        })
    }
}

async fn ask(
    credentials: Credentials,
    region: String,
    route: &Route,
) -> Result<CallerIdentity, CallerUnknown> {
    let unusable = |source| CallerUnknown::Unasked { source };
    let settings = Settings::of_environment(route).await.map_err(unusable)?;
    let token = credentials.session_token().unwrap_or_default().to_owned();
    let config = settings.client(Service::Sts, &region, Some(credentials)).await.map_err(unusable)?;
    // The first failure says more than a deadline that has passed.
    let config = config.into_builder().retry_config(RetryConfig::disabled()).build();
    let answer =
        Client::new(&config).get_caller_identity().send().await.map_err(|error| unknown(error, &token))?;
    match (answer.account(), answer.arn()) {
        (Some(account), Some(arn)) => Ok(CallerIdentity { account: account.to_owned(), arn: arn.to_owned() }),
        _ => Err(CallerUnknown::Unanswered { source: "the answer names nobody".into() }),
    }
}

fn unknown<E>(error: SdkError<E>, session_token: &str) -> CallerUnknown
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(refusal) = refusal::of(&error, &[session_token]) else {
        return CallerUnknown::Unanswered { source: sdk_failure::of_call(error, &[session_token]) };
    };
    match fault(&refusal) {
        Some(fault) => CallerUnknown::Refused { fault, source: refusal.into() },
        None => CallerUnknown::Unanswered { source: refusal.into() },
    }
}

fn fault(refusal: &HttpRefusal) -> Option<CredentialFault> {
    let says = |words| refusal.message.as_deref().is_some_and(|message| message.contains(words));
    Some(match refusal.error_type.as_deref()? {
        "InvalidClientTokenId" => CredentialFault::UnknownKey,
        "SignatureDoesNotMatch" if says("Signature expired") || says("Signature not yet current") => {
            CredentialFault::Clock
        }
        "SignatureDoesNotMatch" => CredentialFault::WrongSecret,
        "ExpiredToken" | "ExpiredTokenException" => CredentialFault::Expired,
        "IncompleteSignature" | "MissingAuthenticationToken" => CredentialFault::Malformed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_refusal_tells_what_is_wrong() {
        let expired = "Signature expired: 20261120T210000Z is now earlier than 20261120T211000Z";
        let early = "Signature not yet current: 20261120T210000Z is still later than 20261120T200000Z";
        for (code, message, expected) in [
            (Some("InvalidClientTokenId"), "", Some(CredentialFault::UnknownKey)),
            (Some("SignatureDoesNotMatch"), "", Some(CredentialFault::WrongSecret)),
            (Some("SignatureDoesNotMatch"), expired, Some(CredentialFault::Clock)),
            (Some("SignatureDoesNotMatch"), early, Some(CredentialFault::Clock)),
            (Some("ExpiredToken"), "", Some(CredentialFault::Expired)),
            (Some("IncompleteSignature"), "", Some(CredentialFault::Malformed)),
            // None of them is the credentials' own fault.
            (Some("AccessDenied"), "", None),
            (Some("RegionDisabledException"), "", None),
            (Some("Throttling"), "", None),
            (None, "", None),
        ] {
            let code = code.map(str::to_owned);
            let refusal = HttpRefusal::new(403, code, Some(message.to_owned()));
            assert_eq!(fault(&refusal), expected, "{refusal:?}");
        }
    }
}
