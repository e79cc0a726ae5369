//! Why a client of a custom authorizer is refused.

use thiserror::Error;

/// A refusal, in words for the log: a client learns of none of this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("no custom authorizer is named, and none is the default")]
    NotNamed,
    #[error("there is no custom authorizer {0:?}")]
    Unknown(String),
    #[error("the custom authorizer {0:?} is not active")]
    Inactive(String),
    #[error("{0:?} is not UTF-8 once it is URI-decoded")]
    NotText(String),
    #[error("the custom authorizer {authorizer:?} asks for a token, and {token_key_name:?} is not there")]
    TokenMissing { authorizer: String, token_key_name: String },
    #[error("the custom authorizer {0:?} asks for the token's signature, which is missing")]
    SignatureMissing(String),
    #[error(
        "the token's signature is wrong for the custom authorizer {authorizer:?}{}",
        if *.base64 { "" } else { ": it is not even Base64, once it is URI-decoded" }
    )]
    SignatureWrong { authorizer: String, base64: bool },
    #[error("the custom authorizer {0:?} says that the client is not authenticated")]
    NotAuthenticated(String),
    #[error("the answer of the custom authorizer {authorizer:?} is not valid: {why}")]
    BadAnswer { authorizer: String, why: String },
}
