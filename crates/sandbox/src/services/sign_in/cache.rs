//! The file that `aws login` leaves behind, and every client renews.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::names::ACCOUNT_ID;
use crate::services::issuer::Issued;
use crate::services::sign_in::messages::{CLIENT_ID, Keys, TOKEN_TYPE};

/// Under the hash of the session's ARN.
pub(super) fn file_name(session: &str) -> String {
    format!("{}.json", hex::encode(Sha256::digest(session)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CachedLogin<'a> {
    access_token: AccessToken<'a>,
    token_type: &'static str,
    refresh_token: &'a str,
    client_id: &'static str,
    /// SEC 1, PEM.
    dpop_key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken<'a> {
    #[serde(flatten)]
    keys: Keys<'a>,
    account_id: &'static str,
    expires_at: String,
}

impl<'a> CachedLogin<'a> {
    pub(super) fn new(issued: &'a Issued, refresh_token: &'a str, dpop_key: &'a str) -> Self {
        CachedLogin {
            access_token: AccessToken {
                keys: Keys::of(issued),
                account_id: ACCOUNT_ID,
                expires_at: issued.expiration_text(),
            },
            token_type: TOKEN_TYPE,
            refresh_token,
            client_id: CLIENT_ID,
            dpop_key,
        }
    }
}
