//! PKCS#12 files (RFC 7292): key, certificate and chain in one, behind a password.

mod password;
mod pbes1;
mod values;
mod work;

use std::path::Path;
use std::sync::Arc;

use p12_keystore::error::Error as Pkcs12Error;
use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag};
use pkcs8::der::{self, ErrorKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use secrecy::{ExposeSecret, SecretString};

use self::work::Refusal;
use super::problem::problem;
use crate::asn1::{first_value, has_pkcs12_mac, is_pkcs12};
use crate::cause::Cause;
use crate::crypto;
use crate::error::Error;
use crate::pem::{Foreign, PemFile, Wanted};
use crate::x509;

/// What the user calls it.
pub(super) const FILE: &str = "PKCS#12 file";

/// The one key of a file, its certificate, and that certificate's issuers.
///
/// # Errors
/// [`Error::Identity`], saying what is wrong with the password or the file.
pub(super) fn parse(content: &[u8], password: &SecretString, path: &Path) -> Result<CertifiedKey, Error> {
    // As for OpenSSL, bytes behind the end of the file's one value are no part of it.
    let own = first_value(content).filter(|own| is_pkcs12(own) && own.len() < content.len());
    if let Some(own) = &own {
        let behind = content.len() - own.len();
        log::warn!("{behind} bytes behind the end of the {FILE} {} are not read", path.display());
    }
    let content = own.as_deref().unwrap_or(content);
    let has_mac = has_pkcs12_mac(content).map_err(|error| foreign(content, error, path))?;
    work::check(content, password.expose_secret()).map_err(|refusal| match refusal {
        Refusal::NoCost => refuse(path, "is damaged: scrypt has no cost", None, None),
        Refusal::TooMuch => too_much_work(path, None),
    })?;
    let archive = open(content, password).map_err(|error| unreadable(error, has_mac, password, path))?;
    let key = only_key(&archive.keys, path)?;
    let signing_key = crypto::provider()
        .key_provider
        .load_private_key(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.key.as_der().to_vec())))
        .map_err(|error| {
            let hint = "RSA keys of 2048 to 8192 bits, and EC keys on P-256, P-384 or P-521, are supported";
            refuse(path, "holds a private key that cannot be used", Some(hint), Some(error.into()))
        })?;
    let chain = chain(&archive.certs, key, &signing_key);
    if chain.is_empty() {
        let what = match archive.certs.is_empty() {
            true => "holds no certificate",
            false => "holds no certificate that belongs to its private key",
        };
        return Err(refuse(path, what, Some("export the certificate together with its key"), None));
    }
    Ok(CertifiedKey::new(chain, signing_key))
}

/// Opens the file with the password as the library encodes it, and else in the other way that is in use.
fn open(content: &[u8], password: &SecretString) -> Result<Pkcs12Archive, Pkcs12Error> {
    let password = password.expose_secret();
    Pkcs12Archive::from_pkcs12(content, password).or_else(|error| {
        match password::without_protection(content, password) {
            Some(clear) => Pkcs12Archive::from_pkcs12(&clear, password),
            None => Err(error),
        }
    })
}

/// What is there instead of a PKCS#12 file.
fn foreign(content: &[u8], error: der::Error, path: &Path) -> Error {
    if content.starts_with(&[0x30]) && is_ber(error) {
        return in_ber(path);
    }
    let file = PemFile::new(path, content.to_vec());
    if let Some(Foreign { is, hint }) = file.foreign_format(Wanted::Pkcs12) {
        return refuse(path, is, hint.as_deref(), None);
    }
    if file.text.contains("-----BEGIN ") {
        let hint = "make one of a certificate and its key: openssl pkcs12 -export -in device.pem.crt \
                    -inkey private.pem.key -out device.p12";
        return refuse(path, "is PEM, not PKCS#12", Some(hint), None);
    }
    refuse(path, "is not a PKCS#12 file, or is cut off", None, None)
}

/// Recognises BER by the error: an indefinite length (ITU-T X.690 §8.1.3.6), or a string in pieces (§8.7.3), which
/// DER forbids. Browsers and Java write both.
fn is_ber(error: der::Error) -> bool {
    const OCTET_STRING_IN_PIECES: u8 = 0x24;
    matches!(
        error.kind(),
        ErrorKind::IndefiniteLength
            | ErrorKind::Noncanonical { .. }
            | ErrorKind::TagUnknown { byte: OCTET_STRING_IN_PIECES }
    )
}

fn in_ber(path: &Path) -> Error {
    refuse(path, "is in BER form, and only DER is supported", Some(&rewrite(path, "")), None)
}

fn unreadable(error: Pkcs12Error, has_mac: bool, password: &SecretString, path: &Path) -> Error {
    let unsupported = |source: Option<Cause>| {
        let hint = rewrite(path, " -legacy");
        refuse(path, "uses an encryption or a MAC that is not supported", Some(&hint), source)
    };
    match error {
        Pkcs12Error::UnsupportedEncryptionScheme | Pkcs12Error::UnsupportedMacAlgorithm => unsupported(None),
        Pkcs12Error::DerError(error) if matches!(error.kind(), ErrorKind::OidUnknown { .. }) => {
            unsupported(Some(error.into()))
        }
        // Without a MAC it may be what a wrong password leaves.
        Pkcs12Error::DerError(error) if has_mac && is_ber(error) => in_ber(path),
        Pkcs12Error::MacError(_) => wrong_password(path, password, ""),
        // The library cannot encode the password.
        Pkcs12Error::DerError(_) if password::is_beyond_bmp(password.expose_secret()) => {
            wrong_password(path, password, "")
        }
        // The library refuses what would take minutes.
        error @ Pkcs12Error::InvalidParameters => too_much_work(path, Some(error.into())),
        // With the right password for the MAC, what follows is not the password's fault.
        error if has_mac => {
            refuse(path, "is damaged, or cannot be read", Some(&rewrite(path, "")), Some(error.into()))
        }
        _ => wrong_password(path, password, ", or the file is damaged: it has no MAC that would tell"),
    }
}

fn too_much_work(path: &Path, source: Option<Cause>) -> Error {
    refuse(path, "asks for too much work, or is damaged", Some(&rewrite(path, "")), source)
}

fn wrong_password(path: &Path, password: &SecretString, doubt: &str) -> Error {
    let empty = if password.expose_secret().is_empty() { ": it is empty" } else { "" };
    problem(
        format!("the password of the {FILE} {} is wrong{empty}{doubt}", path.display()),
        Some(format!("try it: openssl pkcs12 -in {} -noout", path.display())),
        None,
    )
}

fn only_key<'a>(keys: &'a [PrivateKeyBag], path: &Path) -> Result<&'a PrivateKeyBag, Error> {
    match keys {
        [key] => Ok(key),
        [] => Err(refuse(
            path,
            "holds no private key",
            Some("export the certificate together with its key"),
            None,
        )),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|key| {
                    key.friendly_name.as_ref().map_or("unnamed".to_owned(), |name| format!("{name:?}"))
                })
                .collect();
            let what = format!("holds {} private keys: {}", several.len(), names.join(", "));
            Err(refuse(path, &what, Some("export the one to use into a file of its own"), None))
        }
    }
}

/// The key's certificate and its issuers; empty if there is no certificate for the key.
fn chain(
    bags: &[CertificateBag],
    key: &PrivateKeyBag,
    signing_key: &Arc<dyn SigningKey>,
) -> Vec<CertificateDer<'static>> {
    let Some(own) = signing_key.public_key() else { return Vec::new() };
    let mut leaves: Vec<_> =
        (0..bags.len()).filter(|&at| x509::has_key(bags[at].cert.as_der(), &own)).collect();
    // A renewed certificate may have the key of the old one; the file then says which of them belongs to it.
    let id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
    leaves.sort_by_key(|&at| bags[at].local_key_id.as_deref() != id);
    let certificates: Vec<_> =
        bags.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect();
    leaves.first().map_or_else(Vec::new, |&leaf| x509::upwards(&certificates, leaf))
}

/// Writes the file anew with the algorithms of today.
fn rewrite(path: &Path, legacy: &str) -> String {
    format!(
        "write it anew: openssl pkcs12{legacy} -in {0} -nodes | openssl pkcs12 -export -out {0}.new",
        path.display()
    )
}

fn refuse(path: &Path, what_is_wrong: &str, hint: Option<&str>, source: Option<Cause>) -> Error {
    problem(format!("the {FILE} {} {what_is_wrong}", path.display()), hint.map(ToOwned::to_owned), source)
}

#[cfg(test)]
mod tests;
