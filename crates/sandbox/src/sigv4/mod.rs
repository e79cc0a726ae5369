//! Verifies AWS Signature Version 4: in the query of a WebSocket request, the way AWS IoT Core does, and in the header
//! of a call to another service.
//!
//! Written from the [specification] and not shared with the signer of the samples, so that a mistake cannot hide in
//! both. AWS IoT differs from other services in one point: `X-Amz-Security-Token` is appended after signing and so is
//! no part of what is signed.
//!
//! [specification]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html

mod canonical;
mod claim;
mod refusal;
mod verifier;

pub(crate) use refusal::Refusal;
pub(crate) use verifier::{SignedRequest, Verified, Verifier, header_pairs, is_attempted};
