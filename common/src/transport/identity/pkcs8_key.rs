//! Encrypted PKCS#8 keys: `EncryptedPrivateKeyInfo` of RFC 5958 §3, with the schemes of RFC 8018.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{Decode, ErrorKind};
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2};
use pkcs8::{AlgorithmIdentifierRef, EncryptedPrivateKeyInfoOwned};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::pem_key::{Provider, Refusal, is_key};

/// What scrypt may take; OpenSSL's own keys take 16 MiB.
const MAX_SCRYPT_MEMORY: u64 = 1 << 30;

/// What is met in the wild and refused: PBES1 (RFC 8018 §A.3), the schemes of PKCS#12 (RFC 7292 §C), and old ciphers
/// within PBES2.
const REFUSED: &[(&str, &str, Provider)] = &[
    ("1.2.840.113549.1.5.1", "PBES1 (MD2 and DES)", Provider::Legacy),
    ("1.2.840.113549.1.5.3", "PBES1 (MD5 and DES)", Provider::Legacy),
    ("1.2.840.113549.1.5.4", "PBES1 (MD2 and RC2)", Provider::Legacy),
    ("1.2.840.113549.1.5.6", "PBES1 (MD5 and RC2)", Provider::Legacy),
    ("1.2.840.113549.1.5.10", "PBES1 (SHA-1 and DES)", Provider::Legacy),
    ("1.2.840.113549.1.5.11", "PBES1 (SHA-1 and RC2)", Provider::Legacy),
    ("1.2.840.113549.1.12.1.1", "a scheme of PKCS#12 (SHA-1 and 128-bit RC4)", Provider::Legacy),
    ("1.2.840.113549.1.12.1.2", "a scheme of PKCS#12 (SHA-1 and 40-bit RC4)", Provider::Legacy),
    ("1.2.840.113549.1.12.1.3", "a scheme of PKCS#12 (SHA-1 and 3DES)", Provider::Default),
    ("1.2.840.113549.1.12.1.4", "a scheme of PKCS#12 (SHA-1 and two-key 3DES)", Provider::Default),
    ("1.2.840.113549.1.12.1.5", "a scheme of PKCS#12 (SHA-1 and 128-bit RC2)", Provider::Legacy),
    ("1.2.840.113549.1.12.1.6", "a scheme of PKCS#12 (SHA-1 and 40-bit RC2)", Provider::Legacy),
    ("1.3.14.3.2.7", "DES", Provider::Legacy),
];

/// # Errors
/// [`Refusal::Damaged`] or [`Refusal::Unsupported`].
pub(super) fn parse(der: &[u8]) -> Result<EncryptedPrivateKeyInfoOwned, Refusal> {
    let scheme = scheme(der).map_err(|_| Refusal::Damaged)?;
    if scheme != pbes2::PBES2_OID {
        return Err(unsupported(scheme));
    }
    let key = EncryptedPrivateKeyInfoOwned::from_der(der).map_err(|error| match error.kind() {
        ErrorKind::OidUnknown { oid } => unsupported(oid),
        // The ciphers whose parameters are more than an IV are all old.
        _ => {
            Refusal::Unsupported { scheme: "an unknown form of PBES2".to_owned(), provider: Provider::Legacy }
        }
    })?;
    match &key.encryption_algorithm {
        EncryptionScheme::Pbes2(pbes2::Parameters { kdf: pbes2::Kdf::Scrypt(scrypt), .. })
            if scrypt_memory(scrypt) > MAX_SCRYPT_MEMORY =>
        {
            Err(Refusal::Unsupported {
                scheme: "scrypt that takes more than 1 GiB of memory".to_owned(),
                provider: Provider::Default,
            })
        }
        _ => Ok(key),
    }
}

/// The key, or `None` when the password is wrong.
///
/// # Errors
/// [`Refusal::Unsupported`] for parameters that do not fit together.
pub(super) fn decrypt(
    key: &EncryptedPrivateKeyInfoOwned,
    password: &SecretString,
) -> Result<Option<PrivateKeyDer<'static>>, Refusal> {
    match key.decrypt(password.expose_secret()) {
        Ok(document) if is_key(document.as_bytes()) => {
            Ok(Some(PrivatePkcs8KeyDer::from(document.as_bytes().to_vec()).into()))
        }
        Err(pkcs8::Error::EncryptedPrivateKey(
            error @ (pkcs5::Error::AlgorithmParametersInvalid { .. }
            | pkcs5::Error::UnsupportedAlgorithm { .. }),
        )) => Err(Refusal::Unsupported {
            scheme: format!("parameters that make no sense ({error})"),
            provider: Provider::Default,
        }),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// The OID of the encryption scheme, known or not.
fn scheme(der: &[u8]) -> pkcs8::der::Result<ObjectIdentifier> {
    AnyRef::from_der(der)?.sequence(|reader| {
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        AnyRef::decode(reader)?;
        Ok(algorithm.oid)
    })
}

fn unsupported(oid: ObjectIdentifier) -> Refusal {
    let text = oid.to_string();
    let (scheme, provider) = REFUSED.iter().find(|(refused, ..)| *refused == text).map_or_else(
        || (format!("the scheme {text}"), Provider::Default),
        |(_, name, provider)| ((*name).to_owned(), *provider),
    );
    Refusal::Unsupported { scheme, provider }
}

/// In bytes (RFC 7914 §2).
fn scrypt_memory(scrypt: &pbes2::ScryptParams) -> u64 {
    scrypt
        .cost_parameter
        .saturating_add(scrypt.parallelization.into())
        .saturating_mul(scrypt.block_size.into())
        .saturating_mul(128)
}
