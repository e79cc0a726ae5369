//! PKCS#12 files whose password is encoded in another way than the library's.
//!
//! A password is a BMPString with two zero bytes behind it (RFC 7292 §B.1). An empty one is therefore two bytes long to
//! some programs, and has no bytes to others: the null string. A BMPString holds no character beyond U+FFFF;
//! OpenSSL and Java write one as two surrogates of UTF-16. Only the MAC and the schemes of PKCS#12 itself (PBES1,
//! RFC 7292 §C) depend on that: PBES2 takes the password in UTF-8.

use aws_lc_rs::{digest, hmac};
use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode, Encode};

use super::pbes1::{Pbes1, Purpose, bmp_string, derive};
use super::values::{
    DATA, ENCRYPTED_DATA, EXPLICIT, SHROUDED_KEY_BAG, content_info, data, encode, fields, sequence,
};
use super::work::{self, MAX_WORK};

const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// The file without its MAC, and with the parts in clear that PBES1 encrypts; `None` if the password has no second
/// encoding, if that one is wrong, for a file that is damaged or asks for too much work, and for one without such
/// protection.
pub(super) fn without_protection(content: &[u8], password: &str) -> Option<Vec<u8>> {
    let password = second_encoding(password)?;
    let file = fields(AnyRef::from_der(content).ok()?)?;
    let [version, contents, mac @ ..] = file.as_slice() else { return None };
    let (_, safes) = content_info(*contents)?;
    if let [mac] = mac {
        verify(*mac, safes.value(), &password)?;
    }
    // The parts in clear were measured before the library saw them.
    let mut work = MAX_WORK;
    let safes: Option<Vec<_>> = fields(AnyRef::from_der(safes.value()).ok()?)?
        .into_iter()
        .map(|safe| clear_safe(safe, &password, &mut work))
        .collect();
    let contents = data(&sequence(&safes?)?)?;
    let clear = sequence(&[version.to_der().ok()?, contents])?;
    (clear != content).then_some(clear)
}

/// The bytes of a password that the library does not try.
fn second_encoding(password: &str) -> Option<Vec<u8>> {
    match is_beyond_bmp(password) {
        true => Some(bmp_string(password)),
        false => password.is_empty().then(Vec::new),
    }
}

/// Looks for characters that a BMPString cannot hold.
pub(super) fn is_beyond_bmp(password: &str) -> bool {
    password.chars().any(|character| u32::from(character) > 0xffff)
}

/// A safe (a ContentInfo of RFC 7292 §4.1) with PBES1 taken off it and its bags; `work` is what is left of it for all
/// safes.
fn clear_safe(safe: AnyRef<'_>, password: &[u8], work: &mut u64) -> Option<Vec<u8>> {
    let (kind, content) = content_info(safe)?;
    match kind {
        DATA => data(&clear_bags(content.value(), password)?),
        ENCRYPTED_DATA => {
            let [_, info, ..] = fields(content)?[..] else { return None };
            let [_, scheme, ciphertext] = fields(info)?[..] else { return None };
            match Pbes1::of(scheme)? {
                Some(pbes1) => {
                    let bags = pbes1.decrypt(ciphertext.value(), password)?;
                    *work = work::spend(*work, &bags).ok()?;
                    data(&clear_bags(&bags, password)?)
                }
                None => safe.to_der().ok(),
            }
        }
        _ => safe.to_der().ok(),
    }
}

/// SafeContents (RFC 7292 §4.2) with PBES1 taken off the keys.
fn clear_bags(bags: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let bags = fields(AnyRef::from_der(bags).ok()?)?.into_iter().map(|bag| clear_bag(bag, password));
    sequence(&bags.collect::<Option<Vec<_>>>()?)
}

fn clear_bag(bag: AnyRef<'_>, password: &[u8]) -> Option<Vec<u8>> {
    let parts = fields(bag)?;
    let [kind, value, attributes @ ..] = parts.as_slice() else { return None };
    let unchanged = || bag.to_der().ok();
    if kind.decode_as::<ObjectIdentifier>().ok()? != SHROUDED_KEY_BAG {
        return unchanged();
    }
    let [scheme, ciphertext] = fields(AnyRef::from_der(value.value()).ok()?)?[..] else { return None };
    let Some(pbes1) = Pbes1::of(scheme)? else { return unchanged() };
    let key = pbes1.decrypt(ciphertext.value(), password)?;
    let mut clear = vec![KEY_BAG.to_der().ok()?, encode(EXPLICIT, &key)?];
    for attribute in attributes {
        clear.push(attribute.to_der().ok()?);
    }
    sequence(&clear)
}

/// Checks the MAC (RFC 7292 §4, `MacData`).
fn verify(mac: AnyRef<'_>, content: &[u8], password: &[u8]) -> Option<()> {
    let parts = fields(mac)?;
    let [info, salt, iterations @ ..] = parts.as_slice() else { return None };
    let [algorithm, expected] = fields(*info)?[..] else { return None };
    let (digest, hmac) = match fields(algorithm)?.first()?.decode_as().ok()? {
        SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        SHA256 => (&digest::SHA256, hmac::HMAC_SHA256),
        SHA384 => (&digest::SHA384, hmac::HMAC_SHA384),
        SHA512 => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return None,
    };
    let iterations = iterations.first().map_or(Some(1), |count| count.decode_as().ok())?;
    let key = derive(digest, Purpose::Mac, password, salt.value(), iterations, digest.output_len())?;
    hmac::verify(&hmac::Key::new(hmac, &key), content, expected.value()).ok()
}
