//! PKCS#12's own key derivation and encryption (RFC 7292 §B and §C).

use aws_lc_rs::digest;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::TdesEde3;
use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::AnyRef;
use rc2::Rc2;

use super::values::fields;
use crate::identity::pkcs8_key::MAX_ITERATIONS;

pub(super) const TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
pub(super) const RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// The use of a derived key (RFC 7292 §B.3).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
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
pub(super) fn derive(
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

/// The password with two zero bytes behind it; a character beyond U+FFFF is two surrogates.
pub(super) fn bmp_string(password: &str) -> Vec<u8> {
    password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect()
}
