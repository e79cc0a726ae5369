//! The results of operations.

use http::StatusCode;

use crate::services::CredentialOutcome;
use crate::services::answer::Fault;

/// What an operation results in.
pub(super) struct Done {
    pub(super) operation: &'static str,
    /// The XML of its result.
    pub(super) result: String,
    pub(super) outcome: CredentialOutcome,
}

pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, code, message)
}
