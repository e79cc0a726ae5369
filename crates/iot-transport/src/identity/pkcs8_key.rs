//! Encrypted PKCS#8 keys: `EncryptedPrivateKeyInfo` of RFC 5958 §3, with the schemes of RFC 8018.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{Decode, ErrorKind};
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{AlgorithmIdentifierRef, EncryptedPrivateKeyInfoOwned};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::encryption::{Provider, Refusal, is_key};

/// As for PKCS#12; a build without optimization takes seconds for so many. OpenSSL's own keys take 2048, and a file may
/// say 2^32, which takes hours.
pub(super) const MAX_ITERATIONS: u32 = 1_000_000;

/// Bytes that scrypt may go through; OpenSSL's own keys take 16 MiB.
pub(super) const MAX_SCRYPT_WORK: u64 = 1 << 30;

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
    let refuse = |scheme: String| Err(Refusal::Unsupported { scheme, provider: Provider::Default });
    match key.encryption_algorithm.pbes2().map(|parameters| &parameters.kdf) {
        Some(pbes2::Kdf::Pbkdf2(pbkdf2)) if pbkdf2.iteration_count > MAX_ITERATIONS => {
            refuse(format!("{} iterations of PBKDF2, more than {MAX_ITERATIONS}", pbkdf2.iteration_count))
        }
        // The library panics.
        Some(pbes2::Kdf::Scrypt(scrypt)) if scrypt.cost_parameter == 0 => Err(Refusal::Damaged),
        Some(pbes2::Kdf::Scrypt(scrypt)) if scrypt_work(scrypt) > MAX_SCRYPT_WORK => {
            refuse("scrypt that goes through more than 1 GiB of memory".to_owned())
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

/// In bytes (RFC 7914 §2): what it takes at once is no more, and its time goes with it.
pub(super) fn scrypt_work(scrypt: &pbes2::ScryptParams) -> u64 {
    scrypt
        .cost_parameter
        .saturating_mul(scrypt.parallelization.into())
        .saturating_mul(scrypt.block_size.into())
        .saturating_mul(128)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use pkcs8::der::Encode;
    use pkcs8::pkcs5::EncryptionScheme;
    use pkcs8::pkcs5::pbes2::{Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, Salt, ScryptParams};

    use super::*;

    fn key(kdf: Kdf) -> Vec<u8> {
        let encryption = pbes2::EncryptionScheme::Aes128Cbc { iv: [0; 16] };
        let encryption_algorithm = EncryptionScheme::Pbes2(Parameters { kdf, encryption });
        let encrypted_data = pkcs8::der::asn1::OctetString::new([0; 16]).expect("short");
        EncryptedPrivateKeyInfoOwned { encryption_algorithm, encrypted_data }.to_der().expect("encodes")
    }

    fn salt() -> Salt {
        Salt::new([0; 8]).expect("short")
    }

    #[test]
    fn what_would_take_hours_is_refused_at_once() {
        let pbkdf2 = |iteration_count| {
            let prf = Pbkdf2Prf::HmacWithSha256;
            key(Kdf::Pbkdf2(Pbkdf2Params { salt: salt(), iteration_count, key_length: None, prf }))
        };
        let scrypt = |cost_parameter, block_size, parallelization| {
            let salt = salt();
            let key_length = None;
            key(Kdf::Scrypt(ScryptParams { salt, cost_parameter, block_size, parallelization, key_length }))
        };
        let start = Instant::now();
        for (der, words) in [
            (pbkdf2(MAX_ITERATIONS + 1), "1000001 iterations of PBKDF2"),
            (pbkdf2(u32::MAX), "4294967295 iterations of PBKDF2"),
            (scrypt(1 << 20, 8, 2), "more than 1 GiB"),
            (scrypt(1 << 14, 8, u16::MAX), "more than 1 GiB"),
            (scrypt(u64::MAX, u16::MAX, u16::MAX), "more than 1 GiB"),
        ] {
            match parse(&der) {
                Err(Refusal::Unsupported { scheme, .. }) => assert!(scheme.contains(words), "{scheme}"),
                other => panic!("{words}: {:?}", other.err()),
            }
        }
        for der in [pbkdf2(MAX_ITERATIONS), scrypt(1 << 20, 8, 1), scrypt(1 << 16, 8, 16)] {
            assert!(parse(&der).is_ok());
        }
        assert!(start.elapsed() < Duration::from_secs(5), "no key was derived");
    }

    #[test]
    fn parameters_that_make_no_sense_are_no_panic() {
        let parameters = |cost_parameter, block_size, parallelization| {
            let salt = salt();
            Kdf::Scrypt(ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None })
        };
        assert_eq!(parse(&key(parameters(0, 8, 1))).err(), Some(Refusal::Damaged));
        for (n, r, p) in [(1, 8, 1), (3, 8, 1), (2, 0, 1), (2, 8, 0), (2, 0, 0)] {
            let key = parse(&key(parameters(n, r, p))).expect("parses");
            let refused = matches!(decrypt(&key, &"x".into()), Err(Refusal::Unsupported { .. }) | Ok(None));
            assert!(refused, "{n} {r} {p}");
        }
    }
}
