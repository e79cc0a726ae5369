//! PKCS#12 files whose password is encoded in another way than the library's.
//!
//! A password is a BMPString with two zero bytes behind it (RFC 7292 §B.1). An empty one is therefore two bytes long to
//! some programs, and has no bytes to others: the null string. A BMPString holds no character beyond U+FFFF;
//! OpenSSL and Java write one as two surrogates of UTF-16. Only the MAC and the schemes of PKCS#12 itself (PBES1,
//! RFC 7292 §C) depend on that: PBES2 takes the password in UTF-8.

use aws_lc_rs::{digest, hmac};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::TdesEde3;
use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber};
use rc2::Rc2;

use super::work::{self, MAX_WORK};
use crate::identity::pkcs8_key::MAX_ITERATIONS;

pub(super) const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
pub(super) const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
pub(super) const SHROUDED_KEY_BAG: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
pub(super) const TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
pub(super) const RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// `[0]`, constructed.
const EXPLICIT: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// The use of a derived key (RFC 7292 §B.3).
#[derive(Clone, Copy)]
enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
}

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

/// The password with two zero bytes behind it; a character beyond U+FFFF is two surrogates.
pub(super) fn bmp_string(password: &str) -> Vec<u8> {
    password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect()
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

/// Password-based encryption with SHA-1.
pub(super) struct Pbes1<'a> {
    scheme: ObjectIdentifier,
    salt: &'a [u8],
    iterations: u32,
}

impl<'a> Pbes1<'a> {
    /// From an AlgorithmIdentifier; `Some(None)` for another scheme.
    pub(super) fn of(algorithm: AnyRef<'a>) -> Option<Option<Self>> {
        let [scheme, parameters] = fields(algorithm)?[..] else { return None };
        let scheme = scheme.decode_as().ok()?;
        if scheme != TRIPLE_DES && scheme != RC2_40 {
            return Some(None);
        }
        let [salt, iterations] = fields(parameters)?[..] else { return None };
        Some(Some(Self { scheme, salt: salt.value(), iterations: iterations.decode_as().ok()? }))
    }

    pub(super) fn decrypt(&self, ciphertext: &[u8], password: &[u8]) -> Option<Vec<u8>> {
        match self.scheme {
            TRIPLE_DES => self.decrypt_with::<TdesEde3>(ciphertext, password, 24),
            _ => self.decrypt_with::<Rc2>(ciphertext, password, 5),
        }
    }

    fn decrypt_with<C: BlockCipherDecrypt + KeyInit>(
        &self,
        ciphertext: &[u8],
        password: &[u8],
        key_length: usize,
    ) -> Option<Vec<u8>> {
        let derive = |purpose, length| {
            let digest = &digest::SHA1_FOR_LEGACY_USE_ONLY;
            derive(digest, purpose, password, self.salt, self.iterations, length)
        };
        let (key, iv) = (derive(Purpose::Encryption, key_length)?, derive(Purpose::Iv, 8)?);
        Decryptor::<C>::new_from_slices(&key, &iv).ok()?.decrypt_padded_vec::<Pkcs7>(ciphertext).ok()
    }
}

/// The key derivation of RFC 7292 §B.2; `None` for more iterations than anyone waits for. The letters are the RFC's.
fn derive(
    digest: &'static digest::Algorithm,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Option<Vec<u8>> {
    if iterations > MAX_ITERATIONS {
        return None;
    }
    let v = digest.block_len();
    let repeat = |bytes: &[u8], length| bytes.iter().copied().cycle().take(length).collect::<Vec<_>>();
    let whole_blocks = |bytes: &[u8]| repeat(bytes, v * bytes.len().div_ceil(v));
    let d = vec![purpose as u8; v];
    let mut i = [whole_blocks(salt), whole_blocks(password)].concat();
    let mut key = Vec::new();
    while key.len() < length {
        let mut a = digest::digest(digest, &[d.as_slice(), &i].concat());
        for _ in 1..iterations {
            a = digest::digest(digest, a.as_ref());
        }
        key.extend_from_slice(a.as_ref());
        let b = repeat(a.as_ref(), v);
        for block in i.chunks_mut(v) {
            let mut sum = 1_u16;
            for (byte, other) in block.iter_mut().zip(&b).rev() {
                sum += u16::from(*byte) + u16::from(*other);
                let [carry, low] = sum.to_be_bytes();
                *byte = low;
                sum = u16::from(carry);
            }
        }
    }
    key.truncate(length);
    Some(key)
}

/// The kind of a ContentInfo, and its content.
pub(super) fn content_info(info: AnyRef<'_>) -> Option<(ObjectIdentifier, AnyRef<'_>)> {
    let [kind, content] = fields(info)?[..] else { return None };
    Some((kind.decode_as().ok()?, AnyRef::from_der(content.value()).ok()?))
}

/// A ContentInfo of kind data.
pub(super) fn data(content: &[u8]) -> Option<Vec<u8>> {
    sequence(&[DATA.to_der().ok()?, encode(EXPLICIT, &encode(Tag::OctetString, content)?)?])
}

/// The values within a constructed one.
pub(super) fn fields(value: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(value.value()).ok()?;
    let mut fields = Vec::new();
    while !reader.is_finished() {
        fields.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(fields)
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    encode(Tag::Sequence, &parts.concat())
}

pub(super) fn encode(tag: Tag, value: &[u8]) -> Option<Vec<u8>> {
    AnyRef::new(tag, value).and_then(|value| value.to_der()).ok()
}
