//! Which failures of a source another attempt meets again.

use std::error::Error as StdError;

use iot_transport::text::links;
use iot_transport::{Error, HttpRefusal};

use super::services::RoleRefused;

/// Answers of Amazon Cognito's that come with a status as if the request were wrong, and pass
/// (<https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html>).
const PASSING: [&str; 3] = ["TooManyRequestsException", "LimitExceededException", "ExternalServiceException"];

/// Whether the source would answer the same the next time: a service has refused who asks, or what for. What lies in
/// files and in the environment can be mended while the program runs.
pub(crate) fn is_permanent(cause: &(dyn StdError + 'static)) -> bool {
    let in_files = links(cause).any(|error| error.is::<RoleRefused>());
    links(cause).any(|error| {
        !in_files && error.downcast_ref().is_some_and(is_final)
            || error.downcast_ref().is_some_and(Error::is_permanent)
    })
}

fn is_final(refusal: &HttpRefusal) -> bool {
    refusal.is_permanent() && !PASSING.into_iter().any(|code| refusal.is(code))
}

#[cfg(test)]
mod tests {
    use iot_transport::Cause;

    use super::*;

    fn ends_reconnecting(source: impl Into<Cause>) -> bool {
        is_permanent(&*source.into())
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
            let refusal = HttpRefusal::new(status, code.map(str::to_owned), None);
            assert_eq!(ends_reconnecting(refusal), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_role_that_is_refused_for_a_proof_in_a_file_is_not_final() {
        let refusal = || HttpRefusal::new(400, Some("ExpiredTokenException".to_owned()), None);
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
