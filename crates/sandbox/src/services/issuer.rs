//! Makes temporary credentials.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::credentials::{CredentialStore, Credentials, Holder, Known};
use crate::services::CredentialOutcome;
use crate::services::answer::Fault;

/// Issues at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuer<'a> {
    pub(super) store: &'a CredentialStore,
    pub(super) now: Timestamp,
    pub(super) lifetime: SignedDuration,
}

/// Credentials with the time of their end.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) credentials: Credentials,
    pub(super) expiration: Timestamp,
}

impl Issuer<'_> {
    /// New credentials, by which signatures can be made at once.
    pub(super) fn issue(&self, holder: Holder) -> Result<Issued, Fault> {
        let credentials = Credentials::generate().map_err(|error| {
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", error.to_string())
        })?;
        let expiration = self.now.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX);
        let known = Known { credentials: credentials.clone(), holder, expires: Some(expiration) };
        self.store.add_issued(known);
        Ok(Issued { credentials, expiration })
    }
}

impl Issued {
    /// In ISO 8601, in whole seconds.
    pub(super) fn expiration_text(&self) -> String {
        iso_8601(self.expiration)
    }

    pub(super) fn outcome(&self) -> CredentialOutcome {
        CredentialOutcome::Issued { access_key_id: self.credentials.access_key_id.clone() }
    }
}

/// `2026-11-20T21:00:00Z`.
pub(super) fn iso_8601(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
