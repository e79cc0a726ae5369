//! Why a signed request is refused.

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::clock::amz_date;

/// How far `X-Amz-Date` may be off. AWS IoT ignores `X-Amz-Expires`.
pub(crate) const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A refusal, in the words of AWS's services.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("Missing Authentication Token")]
    MissingAuthentication,
    #[error("{0}")]
    Incomplete(&'static str),
    #[error("Credential should be scoped to a valid region.")]
    WrongRegion,
    #[error("Credential should be scoped to correct service: '{0}'.")]
    WrongService(&'static str),
    #[error("Credential should be scoped with a valid terminator: 'aws4_request'.")]
    WrongTerminator,
    #[error("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")]
    WrongScopeDate,
    #[error("The security token included in the request is invalid.")]
    InvalidToken,
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    #[error(
        "Signature expired: {} is now earlier than {} ({} - 5 min.)",
        amz_date(*signed), amz_date(now.saturating_sub(TOLERANCE).unwrap_or(*now)), amz_date(*now)
    )]
    Expired { signed: Timestamp, now: Timestamp },
    #[error(
        "Signature not yet current: {} is still later than {} ({} + 5 min.)",
        amz_date(*signed), amz_date(now.saturating_add(TOLERANCE).unwrap_or(*now)), amz_date(*now)
    )]
    NotYetCurrent { signed: Timestamp, now: Timestamp },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    WrongSignature,
}
