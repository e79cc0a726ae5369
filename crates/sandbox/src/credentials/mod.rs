//! The AWS credentials that the sandbox knows.

mod holder;
mod store;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::secret;

pub(crate) use holder::{Holder, Names};
pub(crate) use store::{CredentialStore, Known};

/// Temporary AWS credentials: a signature by them is valid only together with their session token.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Credentials {
    /// The key's name, `ASIA…`.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: String,
    /// Goes with every request, unsigned.
    pub session_token: String,
}

impl Credentials {
    /// New ones at random.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let (id, secret, token) = (secret::bytes::<16>()?, secret::bytes::<30>()?, secret::bytes::<96>()?);
        // The alphabet of access key IDs is that of base32.
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let id: String = id.iter().map(|byte| char::from(alphabet[usize::from(byte % 32)])).collect();
        Ok(Credentials {
            access_key_id: format!("ASIA{id}"),
            secret_access_key: STANDARD.encode(secret),
            session_token: STANDARD.encode(token),
        })
    }

    /// As a shared credentials file with the profile `default`.
    pub(crate) fn to_ini(&self) -> String {
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
            self.access_key_id, self.secret_access_key, self.session_token
        )
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_like_those_of_aws_and_hide_their_secrets() {
        let credentials = Credentials::generate().unwrap();
        assert!(credentials.access_key_id.starts_with("ASIA") && credentials.access_key_id.len() == 20);
        assert_eq!(credentials.secret_access_key.len(), 40);
        let shown = format!("{credentials:?}");
        assert!(shown.contains(&credentials.access_key_id));
        assert!(
            !shown.contains(&credentials.secret_access_key) && !shown.contains(&credentials.session_token)
        );
    }
}
