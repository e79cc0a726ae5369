//! [GetCallerIdentity]: whose credentials the call is signed with. It needs no permission.
//!
//! [GetCallerIdentity]: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

use http::StatusCode;
use jiff::Timestamp;

use crate::credentials::Names;
use crate::names::ACCOUNT_ID;
use crate::services::CredentialOutcome;
use crate::services::answer::{Fault, ServiceRequest};
use crate::services::sts::operation::Done;
use crate::sigv4::{Refusal, SignedRequest, Verifier, header_pairs};

pub(super) const OPERATION: &str = "GetCallerIdentity";
/// As a signature names STS.
const SERVICE: &str = "sts";

pub(super) fn perform(
    verifier: &Verifier,
    request: &ServiceRequest<'_>,
    now: Timestamp,
) -> Result<Done, Fault> {
    let Names { arn, user_id } = caller(verifier, request, now)?;
    let result = format!("<Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{ACCOUNT_ID}</Account>");
    Ok(Done { operation: OPERATION, result, outcome: CredentialOutcome::Answered })
}

/// The signer of a call.
pub(super) fn caller(
    verifier: &Verifier,
    request: &ServiceRequest<'_>,
    now: Timestamp,
) -> Result<Names, Fault> {
    let headers = header_pairs(request.headers);
    let signed = SignedRequest {
        method: request.method.as_str(),
        path: request.path,
        query: request.query,
        headers: &headers,
        body: request.body,
    };
    let verified = verifier.verify_call(signed, SERVICE, now).map_err(|refusal| fault(&refusal))?;
    Ok(verified.holder.names())
}

/// By the codes that all services of the query protocol have in common
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>).
fn fault(refusal: &Refusal) -> Fault {
    let (status, code) = match refusal {
        Refusal::MissingAuthentication => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
        Refusal::Incomplete(_) => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
        Refusal::InvalidToken => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
        Refusal::ExpiredToken => (StatusCode::FORBIDDEN, "ExpiredToken"),
        Refusal::WrongRegion
        | Refusal::WrongService(_)
        | Refusal::WrongTerminator
        | Refusal::WrongScopeDate
        | Refusal::Expired { .. }
        | Refusal::NotYetCurrent { .. }
        | Refusal::WrongSignature => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
    };
    let message = match refusal {
        Refusal::MissingAuthentication => "Request is missing Authentication Token".to_owned(),
        other => other.to_string(),
    };
    Fault::new(status, code, message)
}
