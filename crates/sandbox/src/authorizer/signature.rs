//! The signature of a token: RSA with SHA-256, PKCS#1 v1.5 (RFC 8017 §8.2), in Base64.

use std::fmt;

use anyhow::{Context, anyhow, ensure};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;

/// AWS IoT's minimum, in bits.
const MINIMUM: usize = 2048;

/// The key of an authorizer that asks for signatures.
pub(super) struct TokenKey(ParsedPublicKey);

/// Why a signature is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureError {
    NotBase64,
    Wrong,
}

impl TokenKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`.
    pub(super) fn from_pem(pem: &str) -> anyhow::Result<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| anyhow!("no public key in PEM: {error}"))?;
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).context("not a public key")?;
        let Ok(PublicKey::RSA(key)) = info.parsed() else { return Err(anyhow!("not an RSA key")) };
        ensure!(
            key.key_size() >= MINIMUM,
            "an RSA key of {} bits; AWS IoT asks for {MINIMUM}",
            key.key_size()
        );
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref())
            .map_err(|error| anyhow!("not a usable RSA key: {error}"))?;
        Ok(TokenKey(key))
    }

    pub(super) fn verify(&self, token: &str, signature: &str) -> Result<(), SignatureError> {
        let signature = STANDARD.decode(signature).map_err(|_| SignatureError::NotBase64)?;
        self.0.verify_sig(token.as_bytes(), &signature).map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by OpenSSL: `openssl genrsa 2048`, and `openssl dgst -sha256 -sign` over the token.
    const PUBLIC_KEY: &str = include_str!("../../tests/vectors/token.pub.pem");
    const SIGNATURE: &str = include_str!("../../tests/vectors/token.signature.txt");
    const TOKEN: &str = "a token / of+its own=";

    #[test]
    fn accepts_what_openssl_signed() {
        let key = TokenKey::from_pem(PUBLIC_KEY).unwrap();
        let signature = SIGNATURE.trim_end();
        assert!(signature.contains('+') && signature.contains('/') && signature.ends_with('='));
        assert_eq!(key.verify(TOKEN, signature), Ok(()));
        assert_eq!(key.verify("another token", signature), Err(SignatureError::Wrong));
        assert_eq!(key.verify(TOKEN, ""), Err(SignatureError::Wrong));
        assert_eq!(key.verify(TOKEN, &signature.replace('+', " ")), Err(SignatureError::NotBase64));
        assert_eq!(key.verify(TOKEN, &signature.replace('+', "%2B")), Err(SignatureError::NotBase64));
    }

    #[test]
    fn keys_that_aws_would_not_take() {
        for (pem, words) in [
            ("", "no public key in PEM"),
            (include_str!("../../tests/vectors/small.pub.pem"), "an RSA key of 1024 bits"),
            (include_str!("../../tests/vectors/p256.pub.pem"), "not an RSA key"),
        ] {
            let error = TokenKey::from_pem(pem).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
