//! The messages of `CreateOAuth2Token`.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::services::issuer::Issued;

/// A login with a browser on the same machine.
pub(super) const CLIENT_ID: &str = "arn:aws:signin:::devtools/same-device";
pub(super) const TOKEN_TYPE: &str = "aws_sigv4";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    pub(super) client_id: String,
    pub(super) grant_type: String,
    #[serde(default)]
    pub(super) refresh_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output<'a> {
    access_token: Keys<'a>,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Keys<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
}

impl<'a> Output<'a> {
    pub(super) fn new(issued: &'a Issued, refresh_token: &'a str, lifetime: SignedDuration) -> Self {
        Output {
            access_token: Keys::of(issued),
            token_type: TOKEN_TYPE,
            expires_in: lifetime.as_secs(),
            refresh_token,
        }
    }
}

impl<'a> Keys<'a> {
    pub(super) fn of(issued: &'a Issued) -> Self {
        Keys {
            access_key_id: &issued.credentials.access_key_id,
            secret_access_key: &issued.credentials.secret_access_key,
            session_token: &issued.credentials.session_token,
        }
    }
}
