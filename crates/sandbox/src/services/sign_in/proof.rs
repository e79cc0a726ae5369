//! DPoP ([RFC 9449]): each request proves that its sender has the private key of the login.
//!
//! [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449

use std::collections::VecDeque;

use anyhow::anyhow;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use thiserror::Error;

pub(super) const HEADER: &str = "dpop";
/// The tolerance for the time of a proof, as with signatures.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// The number of proofs that are remembered.
const CAPACITY: usize = 10_000;

/// The private key of a login.
pub(super) struct LoginKey(EcdsaKeyPair);

/// A point of P-256, uncompressed (SEC 1 §2.3.3).
pub(super) type PublicPoint = Vec<u8>;

impl LoginKey {
    pub(super) fn generate() -> anyhow::Result<Self> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(LoginKey).map_err(|_| anyhow!("no key"))
    }

    pub(super) fn public(&self) -> PublicPoint {
        self.0.public_key().as_ref().to_vec()
    }

    /// SEC 1 (RFC 5915), as the AWS CLI writes it.
    pub(super) fn to_pem(&self) -> anyhow::Result<String> {
        let der = self.0.private_key().as_der().map_err(|_| anyhow!("the key cannot be written"))?;
        let base64 = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        Ok(format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", lines.join("\n")))
    }
}

/// Why a proof is not one.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum ProofFault {
    #[error("it is no JWT")]
    Format,
    #[error("typ, alg or jwk of its header are not those of DPoP with ES256")]
    Header,
    #[error("it is signed with another key than the login's")]
    Key,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is for another request")]
    Request,
    #[error("its time is more than five minutes off")]
    Time,
    #[error("it has been used before")]
    Replay,
}

/// Checks the proofs of one login.
#[derive(Debug)]
pub(super) struct ProofChecker {
    key: PublicPoint,
    /// The identifiers of those that were good, oldest first.
    seen: Mutex<VecDeque<String>>,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Key,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    crv: String,
    x: String,
    y: String,
    /// Of a private key, which may not be sent.
    d: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
}

impl ProofChecker {
    pub(super) fn new(key: PublicPoint) -> Self {
        ProofChecker { key, seen: Mutex::default() }
    }

    /// The checks of RFC 9449 §4.3. `uri` is without a query.
    pub(super) fn check(
        &self,
        proof: &str,
        method: &Method,
        uri: &str,
        now: Timestamp,
    ) -> Result<(), ProofFault> {
        let (signed, signature) = proof.rsplit_once('.').ok_or(ProofFault::Format)?;
        let (header, claims) = signed.split_once('.').ok_or(ProofFault::Format)?;
        let header: Header = part(header)?;
        let claims: Claims = part(claims)?;
        if header.typ != "dpop+jwt" || header.alg != "ES256" {
            return Err(ProofFault::Header);
        }
        if header.jwk.point().ok_or(ProofFault::Header)? != self.key {
            return Err(ProofFault::Key);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| ProofFault::Format)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| ProofFault::Signature)?;
        if claims.htm != method.as_str() || claims.htu != uri {
            return Err(ProofFault::Request);
        }
        let made = Timestamp::from_second(claims.iat).map_err(|_| ProofFault::Time)?;
        if now.duration_since(made).abs() > TOLERANCE {
            return Err(ProofFault::Time);
        }
        let mut seen = self.seen.lock();
        if claims.jti.is_empty() || seen.contains(&claims.jti) {
            return Err(ProofFault::Replay);
        }
        if seen.len() == CAPACITY {
            seen.pop_front();
        }
        seen.push_back(claims.jti);
        Ok(())
    }
}

impl Key {
    fn point(&self) -> Option<PublicPoint> {
        let coordinate = |text| URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes: &Vec<u8>| bytes.len() == 32);
        let is_public = self.kty == "EC" && self.crv == "P-256" && self.d.is_none();
        is_public.then_some([vec![4], coordinate(&self.x)?, coordinate(&self.y)?].concat())
    }
}

fn part<T: for<'a> Deserialize<'a>>(base64: &str) -> Result<T, ProofFault> {
    let json = URL_SAFE_NO_PAD.decode(base64).map_err(|_| ProofFault::Format)?;
    serde_json::from_slice(&json).map_err(|_| ProofFault::Format)
}
