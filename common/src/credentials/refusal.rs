//! A service's word for why it gives no credentials.

use std::error::Error as StdError;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::printable::one_line;

/// Answers of Amazon Cognito's that come with a status as if the request were wrong, and pass
/// (<https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html>).
const PASSING: [&str; 3] = ["TooManyRequestsException", "LimitExceededException", "ExternalServiceException"];

/// A service's text on one line, without the secrets that it was sent.
pub(super) fn without(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    one_line(&secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "…")))
}

/// An HTTP answer that holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The service's name for the error, such as `ResourceNotFoundException`.
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

impl Refusal {
    /// The service's own answer, if there was one; without `secrets`, which it may repeat.
    pub(super) fn of<E: ProvideErrorMetadata>(
        error: &SdkError<E, HttpResponse>,
        secrets: &[&str],
    ) -> Option<Self> {
        let SdkError::ServiceError(context) = error else { return None };
        Some(Self {
            status: context.raw().status().as_u16(),
            code: context.err().code().map(|code| without(code, secrets)),
            message: context.err().message().map(|message| without(message, secrets)),
        })
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the service would answer the same the next time.
    pub(super) fn is_permanent(&self) -> bool {
        matches!(self.status, 400 | 401 | 403 | 404) && !PASSING.into_iter().any(|code| self.is(code))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl StdError for Refusal {}
