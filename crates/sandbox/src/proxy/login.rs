//! The user of the proxies that ask for a password.

use anyhow::anyhow;
use rustls::crypto::aws_lc_rs;

const USER: &str = "sandbox";

/// A user and a password. It has no `Debug`, so that the password gets nowhere by accident.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl Login {
    /// A new password at random, of characters that mean nothing in a URL.
    pub(super) fn generate() -> anyhow::Result<Self> {
        let mut password = [0; 12];
        aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut password)
            .map_err(|_| anyhow!("no random numbers"))?;
        Ok(Login { user: USER.to_owned(), password: hex::encode(password) })
    }
}
