//! The work that a PKCS#12 file asks for, measured before it is done.
//!
//! The library limits each key derivation but not their number, and panics at scrypt without a cost.

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode, Encode, SliceReader};
use pkcs8::pkcs5::pbes2::{self, Kdf, Pbkdf2Params, ScryptParams};

use super::pbes1::{Pbes1, RC2_40, TRIPLE_DES, bmp_string};
use super::values::{ENCRYPTED_DATA, content_info, fields};
use crate::identity::pkcs8_key::{MAX_ITERATIONS, MAX_SCRYPT_WORK, scrypt_work};

/// The iterations of a file: as many as one derivation may have, for each of the MAC, the certificates and the key.
pub(super) const MAX_WORK: u64 = 3 * MAX_ITERATIONS as u64;

/// Why a file is not opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// scrypt's N is 0.
    NoCost,
    TooMuch,
}

/// Looks through what is in clear, and through what the password as the library encodes it decrypts.
///
/// # Errors
/// Content that the library must not see.
pub(super) fn check(content: &[u8], password: &str) -> Result<(), Refusal> {
    let mut left = spend(MAX_WORK, content)?;
    for safe in encrypted_safes(content).unwrap_or_default() {
        if let Some(bags) = decrypt(safe, password) {
            left = spend(left, &bags)?;
        }
    }
    Ok(())
}

/// The work that is left after the key derivations that stand in clear in `content`.
///
/// # Errors
/// Either.
pub(super) fn spend(left: u64, content: &[u8]) -> Result<u64, Refusal> {
    let mut left = left;
    for oid in [pbes2::PBKDF2_OID, pbes2::SCRYPT_OID, TRIPLE_DES, RC2_40] {
        for parameters in behind(oid, content) {
            left = left.checked_sub(work(oid, parameters)?).ok_or(Refusal::TooMuch)?;
        }
    }
    Ok(left)
}

/// The values that stand behind an algorithm's OID.
fn behind(oid: ObjectIdentifier, content: &[u8]) -> impl Iterator<Item = AnyRef<'_>> {
    let oid = oid.to_der().unwrap_or_default();
    let ends = (oid.len()..content.len()).filter(move |&end| content[..end].ends_with(&oid));
    ends.filter_map(|end| AnyRef::decode(&mut SliceReader::new(&content[end..]).ok()?).ok())
}

/// In iterations; what cannot be read is refused by the library.
fn work(oid: ObjectIdentifier, parameters: AnyRef<'_>) -> Result<u64, Refusal> {
    Ok(match oid {
        pbes2::PBKDF2_OID => Pbkdf2Params::try_from(parameters).map_or(0, |own| own.iteration_count.into()),
        pbes2::SCRYPT_OID => match ScryptParams::try_from(parameters) {
            Ok(own) if own.cost_parameter == 0 => return Err(Refusal::NoCost),
            Ok(own) if scrypt_work(&own) > MAX_SCRYPT_WORK => return Err(Refusal::TooMuch),
            // The most that is allowed takes as long as the most iterations.
            Ok(own) => scrypt_work(&own) / (MAX_SCRYPT_WORK / u64::from(MAX_ITERATIONS)),
            Err(_) => 0,
        },
        _ => {
            fields(parameters).and_then(|fields| fields.get(1)?.decode_as::<u32>().ok()).map_or(0, u64::from)
        }
    })
}

/// The AlgorithmIdentifier and the ciphertext of each encrypted safe (RFC 7292 §4.1).
fn encrypted_safes(content: &[u8]) -> Option<Vec<[AnyRef<'_>; 2]>> {
    let [_, contents, ..] = fields(AnyRef::from_der(content).ok()?)?[..] else { return None };
    let (_, safes) = content_info(contents)?;
    let safes = fields(AnyRef::from_der(safes.value()).ok()?)?.into_iter().filter_map(|safe| {
        let (ENCRYPTED_DATA, content) = content_info(safe)? else { return None };
        let [_, info, ..] = fields(content)?[..] else { return None };
        let [_, scheme, ciphertext] = fields(info)?[..] else { return None };
        Some([scheme, ciphertext])
    });
    Some(safes.collect())
}

/// `None` for a wrong password, too.
fn decrypt([scheme, ciphertext]: [AnyRef<'_>; 2], password: &str) -> Option<Vec<u8>> {
    if let Some(pbes1) = Pbes1::of(scheme)? {
        return pbes1.decrypt(ciphertext.value(), &bmp_string(password));
    }
    let parameters: pbes2::Parameters = fields(scheme)?.get(1)?.decode_as().ok()?;
    match &parameters.kdf {
        Kdf::Pbkdf2(own) if own.iteration_count > MAX_ITERATIONS => None,
        _ => parameters.decrypt(password.as_bytes(), ciphertext.value()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pkcs8::der::{Tag, TagNumber};
    use pkcs8::pkcs5::pbes2::{Parameters, Pbkdf2Prf, Salt};

    use super::super::password::without_protection;
    use super::super::values::{DATA, SHROUDED_KEY_BAG, data, encode, sequence};
    use super::*;

    const PASSWORD: &str = "hush";

    /// An AlgorithmIdentifier with one iteration count or one N.
    fn algorithm(oid: ObjectIdentifier, number: u32) -> Vec<u8> {
        let number = number.to_der().unwrap();
        let salt = encode(Tag::OctetString, b"salt").unwrap();
        // N, r and p (RFC 7914 §7).
        let rest = if oid == pbes2::SCRYPT_OID { &[2, 1, 8, 2, 1, 1][..] } else { &[] };
        let parameters = sequence(&[salt, number, rest.to_vec()]).unwrap();
        sequence(&[oid.to_der().unwrap(), parameters]).unwrap()
    }

    /// A file without a MAC, of safes.
    fn file(safes: &[Vec<u8>]) -> Vec<u8> {
        let contents = data(&sequence(safes).unwrap()).unwrap();
        sequence(&[3_u8.to_der().unwrap(), contents]).unwrap()
    }

    /// A safe of `bags` that `PASSWORD` encrypts.
    fn encrypted(bags: &[u8]) -> Vec<u8> {
        let salt = Salt::new([0; 8]).unwrap();
        let prf = Pbkdf2Prf::HmacWithSha256;
        let kdf = Kdf::Pbkdf2(Pbkdf2Params { salt, iteration_count: 1, key_length: None, prf });
        let encryption = pbes2::EncryptionScheme::Aes128Cbc { iv: [0; 16] };
        let parameters = Parameters { kdf, encryption };
        let ciphertext = parameters.encrypt(PASSWORD, bags).unwrap();
        let scheme = sequence(&[pbes2::PBES2_OID.to_der().unwrap(), parameters.to_der().unwrap()]).unwrap();
        let number = TagNumber(0);
        let ciphertext = encode(Tag::ContextSpecific { constructed: false, number }, &ciphertext).unwrap();
        let info = sequence(&[DATA.to_der().unwrap(), scheme, ciphertext]).unwrap();
        let content = sequence(&[0_u8.to_der().unwrap(), info]).unwrap();
        let content = encode(Tag::ContextSpecific { constructed: true, number }, &content).unwrap();
        sequence(&[ENCRYPTED_DATA.to_der().unwrap(), content]).unwrap()
    }

    /// A key in a bag of its own, encrypted by `algorithm`.
    fn shrouded(algorithm: Vec<u8>) -> Vec<u8> {
        let key = sequence(&[algorithm, encode(Tag::OctetString, &[0; 16]).unwrap()]).unwrap();
        let key = encode(Tag::ContextSpecific { constructed: true, number: TagNumber(0) }, &key).unwrap();
        sequence(&[SHROUDED_KEY_BAG.to_der().unwrap(), key]).unwrap()
    }

    /// PBES2 (RFC 8018 §A.4) around a key derivation.
    fn pbes2(kdf: Vec<u8>) -> Vec<u8> {
        let cipher = pbes2::EncryptionScheme::Aes128Cbc { iv: [0; 16] }.to_der().unwrap();
        sequence(&[pbes2::PBES2_OID.to_der().unwrap(), sequence(&[kdf, cipher]).unwrap()]).unwrap()
    }

    fn problem(content: &[u8], password: &str) -> String {
        super::super::parse(content, &password.into(), Path::new("a.p12")).err().unwrap().to_string()
    }

    #[test]
    fn scrypt_without_cost_is_no_panic_in_clear_and_in_what_is_encrypted() {
        let bags = |n| sequence(&[shrouded(pbes2(algorithm(pbes2::SCRYPT_OID, n)))]).unwrap();
        for safe in [|bags: &[u8]| data(bags).unwrap(), encrypted] {
            let problem = |n| problem(&file(&[safe(&bags(n))]), PASSWORD);
            assert_eq!(problem(0), "the PKCS#12 file a.p12 is damaged: scrypt has no cost");
            assert!(problem(2).contains("wrong"), "{}", problem(2));
        }
    }

    #[test]
    fn many_derivations_are_refused_at_once_wherever_they_are() {
        for oid in [pbes2::PBKDF2_OID, TRIPLE_DES, RC2_40] {
            let bag = |iterations| match algorithm(oid, iterations) {
                kdf if oid == pbes2::PBKDF2_OID => shrouded(pbes2(kdf)),
                pbes1 => shrouded(pbes1),
            };
            let bags = sequence(&vec![bag(MAX_ITERATIONS); 4]).unwrap();
            for safe in [data(&bags).unwrap(), encrypted(&bags)] {
                let problem = problem(&file(&[safe]), PASSWORD);
                assert!(problem.contains("asks for too much work"), "{oid}: {problem}");
            }
            let few = file(&[data(&sequence(&vec![bag(MAX_ITERATIONS); 3]).unwrap()).unwrap()]);
            assert_eq!(check(&few, PASSWORD), Ok(()), "{oid}");
        }
    }

    #[test]
    fn a_file_without_anything_of_the_null_strings_is_not_opened_twice() {
        let file = file(&[encrypted(&sequence(&[]).unwrap())]);
        assert_eq!(without_protection(&file, ""), None);
    }
}
