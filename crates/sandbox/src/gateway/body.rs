//! The bodies of answers.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};

/// A whole answer in memory.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// A body of these bytes.
pub(super) fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).boxed()
}
