//! Secrets: made at random, compared in constant time.

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Random bytes, fit for keys.
pub(crate) fn bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow!("no random numbers"))?;
    Ok(bytes)
}

/// A token or a password: 192 random bits in letters, digits, `-` and `_`, which need quoting nowhere. It begins with
/// a letter, so that no command line takes it for a flag.
pub(crate) fn token() -> anyhow::Result<String> {
    Ok(format!("t{}", URL_SAFE_NO_PAD.encode(bytes::<24>()?)))
}

/// Compares in constant time: the hashes are compared, of which the caller cannot choose a prefix.
pub(crate) fn same(left: impl AsRef<[u8]>, right: impl AsRef<[u8]>) -> bool {
    Sha256::digest(left) == Sha256::digest(right)
}
