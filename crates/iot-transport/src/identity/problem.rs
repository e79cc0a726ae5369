//! What is wrong with an identity, in the user's words.

use crate::cause::Cause;
use crate::error::Error;

/// What the user calls the two files.
pub(super) const CERTIFICATE: &str = "client certificate";
pub(super) const KEY: &str = "private key";

pub(super) fn problem(problem: String, hint: Option<String>, source: Option<Cause>) -> Error {
    Error::Identity { problem, hint, source }
}
