//! A service's word for why it gives no credentials.

use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::services::RoleRefused;
use crate::printable::one_line;
use crate::transport::Error;

/// Answers of Amazon Cognito's that come with a status as if the request were wrong, and pass
/// (<https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html>).
const PASSING: [&str; 3] = ["TooManyRequestsException", "LimitExceededException", "ExternalServiceException"];

/// Whether the source would answer the same the next time: a service has refused who asks, or what for. What lies in
/// files and in the environment can be mended while the program runs.
pub(crate) fn is_permanent(cause: &(dyn StdError + 'static)) -> bool {
    let links = || successors(Some(cause), |&error: &&(dyn StdError + 'static)| error.source());
    let in_files = links().any(|error| error.is::<RoleRefused>());
    links().any(|error| {
        !in_files && error.downcast_ref().is_some_and(Refusal::is_permanent)
            || error.downcast_ref().is_some_and(Error::is_permanent)
    })
}

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

    fn is_permanent(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::CredentialSource;
    use crate::error::Cause;

    fn ends_reconnecting(source: impl Into<Cause>) -> bool {
        crate::Error::Credentials { from: Box::new(CredentialSource::DefaultChain), source: source.into() }
            .is_permanent()
    }

    #[test]
    fn a_refusal_is_final_unless_the_service_is_busy() {
        for (status, code, expected) in [
            (400, Some("NotAuthorizedException"), true),
            (400, Some("ResourceNotFoundException"), true),
            (400, Some("TooManyRequestsException"), false),
            (403, None, true),
            (404, Some("ResourceNotFoundException"), true),
            (429, None, false),
            (500, Some("InternalErrorException"), false),
        ] {
            let refusal = Refusal { status, code: code.map(str::to_owned), message: None };
            assert_eq!(ends_reconnecting(refusal), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_role_that_is_refused_for_a_proof_in_a_file_is_not_final() {
        let refusal =
            || Refusal { status: 400, code: Some("ExpiredTokenException".to_owned()), message: None };
        assert!(ends_reconnecting(refusal()));
        assert!(!ends_reconnecting(RoleRefused::for_test(refusal().into())));
    }

    #[test]
    fn a_certificate_that_the_provider_rejects_is_final() {
        let target = || "a.example:443".to_owned();
        assert!(ends_reconnecting(Error::CertificateRejected { target: target(), source: "".into() }));
        let unreachable =
            Error::Tcp { target: target(), source: std::io::ErrorKind::ConnectionRefused.into() };
        assert!(!ends_reconnecting(unreachable));
        assert!(!ends_reconnecting("no such profile"));
    }
}
