//! OpenSSL's older encrypted keys: a PKCS#1 or SEC1 key behind the headers of RFC 1421 §4.6.1.
//!
//! <https://docs.openssl.org/3.0/man3/PEM_read_bio_PrivateKey/#pem-encryption-format> describes the form.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivateSec1KeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::encryption::{Provider, Refusal, is_key};
use crate::pem::section::Section;

pub(super) struct EncryptedKey {
    form: Form,
    cipher: Cipher,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// What the encryption wraps.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Pkcs1,
    Sec1,
}

#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

impl Form {
    /// `None` unless the section is an encrypted key of this kind.
    pub(super) fn of(section: &Section<'_>) -> Option<Self> {
        let mut fields = section.header("Proc-Type")?.split(',').map(str::trim);
        match (fields.next(), fields.next(), section.label) {
            (Some("4"), Some("ENCRYPTED"), "RSA PRIVATE KEY") => Some(Self::Pkcs1),
            (Some("4"), Some("ENCRYPTED"), "EC PRIVATE KEY") => Some(Self::Sec1),
            _ => None,
        }
    }
}

impl EncryptedKey {
    /// # Errors
    /// [`Refusal::Damaged`] or [`Refusal::Unsupported`].
    pub(super) fn parse(section: &Section<'_>, form: Form, ciphertext: Vec<u8>) -> Result<Self, Refusal> {
        let dek_info = section.header("DEK-Info").ok_or(Refusal::Damaged)?;
        let (name, iv) = dek_info.split_once(',').unwrap_or((dek_info, ""));
        let cipher = Cipher::named(name.trim())?;
        let iv = hex::decode(iv.trim()).map_err(|_| Refusal::Damaged)?;
        let whole_blocks = !ciphertext.is_empty() && ciphertext.len().is_multiple_of(cipher.block_length());
        if iv.len() != cipher.block_length() || !whole_blocks {
            return Err(Refusal::Damaged);
        }
        Ok(Self { form, cipher, iv, ciphertext })
    }

    /// The key, or `None` when the password is wrong.
    pub(super) fn decrypt(&self, password: &SecretString) -> Option<PrivateKeyDer<'static>> {
        let key = derive_key(password.expose_secret().as_bytes(), &self.iv, self.cipher.key_length());
        let der = match self.cipher {
            Cipher::Aes128 => self.decrypt_with::<Aes128>(&key),
            Cipher::Aes192 => self.decrypt_with::<Aes192>(&key),
            Cipher::Aes256 => self.decrypt_with::<Aes256>(&key),
            Cipher::TripleDes => self.decrypt_with::<TdesEde3>(&key),
        };
        let der = der.filter(|der| is_key(der))?;
        Some(match self.form {
            Form::Pkcs1 => PrivatePkcs1KeyDer::from(der).into(),
            Form::Sec1 => PrivateSec1KeyDer::from(der).into(),
        })
    }

    fn decrypt_with<C: BlockCipherDecrypt + KeyInit>(&self, key: &[u8]) -> Option<Vec<u8>> {
        let decryptor = Decryptor::<C>::new_from_slices(key, &self.iv).ok()?;
        decryptor.decrypt_padded_vec::<Pkcs7>(&self.ciphertext).ok()
    }
}

impl Cipher {
    fn named(name: &str) -> Result<Self, Refusal> {
        match name {
            "AES-128-CBC" => Ok(Self::Aes128),
            "AES-192-CBC" => Ok(Self::Aes192),
            "AES-256-CBC" => Ok(Self::Aes256),
            "DES-EDE3-CBC" => Ok(Self::TripleDes),
            _ => Err(Refusal::Unsupported {
                scheme: name.escape_default().to_string(),
                provider: match name.split('-').next() {
                    Some("AES" | "ARIA" | "CAMELLIA") => Provider::Default,
                    _ if name.starts_with("DES-EDE") => Provider::Default,
                    _ => Provider::Legacy,
                },
            }),
        }
    }

    fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    fn block_length(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes => 8,
        }
    }
}

/// `EVP_BytesToKey` with MD5, one iteration, and the first eight bytes of the IV as salt.
fn derive_key(password: &[u8], iv: &[u8], length: usize) -> Vec<u8> {
    let salt = &iv[..iv.len().min(8)];
    let mut key = Vec::new();
    let mut block = Vec::new();
    while key.len() < length {
        let digest = Md5::new().chain_update(&block).chain_update(password).chain_update(salt).finalize();
        block = digest.to_vec();
        key.extend_from_slice(&block);
    }
    key.truncate(length);
    key
}
