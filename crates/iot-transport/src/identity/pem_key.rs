//! The private key of a PEM file, plain or encrypted.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoOwned;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::encryption::refuse;
use super::problem::{KEY, problem};
use super::{legacy, pkcs8_key};
use crate::error::Error;
use crate::pem::{self, Foreign, PemFile, Wanted, section};

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// The labels of keys that can be used.
const LABELS: [&str; 4] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", ENCRYPTED];

/// The first private key of a file.
pub(super) enum PemKey {
    Plain(PrivateKeyDer<'static>),
    Encrypted(EncryptedKey),
}

/// A key that a password opens.
pub(super) enum EncryptedKey {
    /// `ENCRYPTED PRIVATE KEY` (RFC 5958 §3, RFC 7468 §11).
    Pkcs8(EncryptedPrivateKeyInfoOwned),
    /// OpenSSL's older form, with the headers of RFC 1421 §4.6.1.
    Legacy(legacy::EncryptedKey),
}

impl PemKey {
    /// # Errors
    /// [`Error::Identity`], saying what the file holds instead, or that its encryption is not supported.
    pub(super) fn parse(file: &PemFile<'_>) -> Result<Self, Error> {
        let path = file.path;
        let mut keys = section::all(&file.text).filter(|section| section.label.ends_with("PRIVATE KEY"));
        let Some(section) = keys.find(|section| LABELS.contains(&section.label)) else {
            return Err(without_key(file));
        };
        let content = || {
            section.content().map_err(|error| match file.foreign_format(Wanted::Key) {
                Some(Foreign { is, hint }) => refuse(path, is, hint),
                None => refuse(path, pem::complaint(&error), None),
            })
        };
        let encrypted = if section.label == ENCRYPTED {
            pkcs8_key::parse(&content()?).map(EncryptedKey::Pkcs8)
        } else if let Some(form) = legacy::Form::of(&section) {
            legacy::EncryptedKey::parse(&section, form, content()?).map(EncryptedKey::Legacy)
        } else {
            return Ok(Self::Plain(match section.label {
                "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(content()?).into(),
                "EC PRIVATE KEY" => PrivateSec1KeyDer::from(content()?).into(),
                _ => PrivatePkcs8KeyDer::from(content()?).into(),
            }));
        };
        encrypted.map(Self::Encrypted).map_err(|refusal| refusal.about(path))
    }
}

impl EncryptedKey {
    /// # Errors
    /// [`Error::Identity`] when the password is wrong, or the parameters of the encryption do not fit together.
    pub(super) fn decrypt(
        &self,
        password: &SecretString,
        path: &Path,
    ) -> Result<PrivateKeyDer<'static>, Error> {
        let key = match self {
            Self::Pkcs8(key) => pkcs8_key::decrypt(key, password).map_err(|refusal| refusal.about(path))?,
            Self::Legacy(key) => key.decrypt(password),
        };
        let empty = if password.expose_secret().is_empty() { ": it is empty" } else { "" };
        key.ok_or_else(|| {
            problem(
                format!("the password of the {KEY} {} is wrong{empty}", path.display()),
                Some(format!("try it: openssl pkey -in {} -noout", path.display())),
                None,
            )
        })
    }
}

/// The refusal of an encrypted key where nobody can give a password.
pub(super) fn needs_password(path: &Path) -> Error {
    let decrypt = pem::secret(&format!("openssl pkey -in {0} -out {0}.plain", path.display()));
    refuse(path, "is encrypted", Some(format!("give its password, or decrypt it: {decrypt}")))
}

/// The contents of a file without a key that can be used.
fn without_key(file: &PemFile<'_>) -> Error {
    let path = file.path;
    if let Some(Foreign { is, hint }) = file.foreign_format(Wanted::Key) {
        return refuse(path, is, hint);
    }
    let other = section::all(&file.text).find(|section| section.label.ends_with("PRIVATE KEY"));
    match other {
        Some(section) if section.label == "OPENSSH PRIVATE KEY" => {
            let hint = format!("convert it in place: ssh-keygen -p -m PKCS8 -f {}", path.display());
            refuse(path, "is in the form of OpenSSH", Some(hint))
        }
        Some(section) => {
            let label = section.label.escape_default();
            refuse(path, &format!("holds a key of a kind that is not supported: {label}"), None)
        }
        None if file.has("PUBLIC KEY") => refuse(
            path,
            "holds the public key",
            Some("AWS IoT names the private one <id>-private.pem.key".to_owned()),
        ),
        None if file.has("CERTIFICATE") => refuse(path, "holds a certificate, not a key", None),
        None => refuse(
            path,
            "holds no private key",
            Some("it must hold a -----BEGIN … PRIVATE KEY----- section".to_owned()),
        ),
    }
}
