//! An X.509 client identity: a certificate, its chain, and its private key, wherever they are kept.

mod chain;
mod encryption;
mod legacy;
mod pem_key;
#[cfg(feature = "pkcs12")]
mod pkcs12;
mod pkcs8_key;
mod problem;
mod windows_store;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::InconsistentKeys;
#[cfg(feature = "pkcs11")]
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use secrecy::SecretString;

use self::pem_key::PemKey;
use self::problem::{CERTIFICATE, KEY, problem};
pub use self::windows_store::StorePath;
use crate::cause::Cause;
use crate::certificate::Certificate;
use crate::crypto;
use crate::error::Error;
use crate::file;
use crate::pem::PemFile;
use crate::x509;

/// In bytes.
const MAX_FILE: u64 = 1 << 20;

/// A client certificate with its chain and its private key. Cheap to clone; its `Debug` hides the key.
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// Whether a signature may take its time: the key is held by a device, or by another process.
    blocks: bool,
}

impl Identity {
    /// Reads a certificate, with its chain if it has one, and its private key in PKCS#8, PKCS#1 or SEC1 form, from two
    /// PEM files. They may be the same file. The certificate need not be the first of its file: it is the key's.
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be read; [`Error::Identity`], saying what is in the file instead, when it
    /// does not hold what it should, when the key is encrypted, and when key and certificate do not belong together.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, Error> {
        Self::read_pem_files(certificate, key, || Err(pem_key::needs_password(key)))
    }

    /// As [`from_pem_files`](Self::from_pem_files), for a key that may be encrypted: as PKCS#8 (RFC 5958 §3, with
    /// PBES2 of RFC 8018), or in OpenSSL's older form (`Proc-Type: 4,ENCRYPTED`, RFC 1421). `password` is called once
    /// if the key is encrypted, and not at all if it is not.
    ///
    /// # Errors
    /// Those of [`from_pem_files`](Self::from_pem_files); [`Error::Secret`] with `password`'s own; [`Error::Identity`] when the password is
    /// wrong, and, before it is asked for, when the encryption is one that is not supported.
    pub fn from_encrypted_pem_files(
        certificate: &Path,
        key: &Path,
        password: impl FnOnce() -> Result<SecretString, Cause>,
    ) -> Result<Self, Error> {
        Self::read_pem_files(certificate, key, || password().map_err(Error::Secret))
    }

    fn read_pem_files(
        certificate: &Path,
        key: &Path,
        password: impl FnOnce() -> Result<SecretString, Error>,
    ) -> Result<Self, Error> {
        let certificate_file = PemFile::new(certificate, read(CERTIFICATE, certificate)?);
        // A pipe can be read once.
        let other_file = match certificate == key {
            true => None,
            false => Some(PemFile::new(key, read(KEY, key)?)),
        };
        let key_file = other_file.as_ref().unwrap_or(&certificate_file);
        if !certificate_file.has("CERTIFICATE")
            && certificate_file.has("PRIVATE KEY")
            && key_file.has("CERTIFICATE")
        {
            return Err(problem(
                format!("{} holds a key and {} a certificate", certificate.display(), key.display()),
                Some("the certificate and the key are swapped".to_owned()),
                None,
            ));
        }
        let certificates = chain::parse(&certificate_file)?;
        let private_key = match PemKey::parse(key_file)? {
            PemKey::Plain(private_key) => private_key,
            PemKey::Encrypted(encrypted) => encrypted.decrypt(&password()?, key)?,
        };

        let signing_key = crypto::provider()
            .key_provider
            .load_private_key(private_key)
            .map_err(|error| unusable(error, certificate, key))?;
        let pair = CertifiedKey::new(chain::led_by(&*signing_key, certificates), signing_key);
        belong_together(&pair).map_err(|error| unusable(error, certificate, key))?;
        Ok(Self::new(pair))
    }

    /// Reads a certificate, its chain and its private key from a PKCS#12 file (RFC 7292), in memory. The file must
    /// hold exactly one private key; the certificate that belongs to it is found among the file's, and so are its
    /// issuers.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read; [`Error::Identity`] when it is no PKCS#12 file, when the password
    /// is wrong, and when the file does not hold one key and its certificate.
    #[cfg(feature = "pkcs12")]
    pub fn from_pkcs12_file(path: &Path, password: &SecretString) -> Result<Self, Error> {
        let content = read(pkcs12::FILE, path)?;
        Ok(Self::new(pkcs12::parse(&content, password, path)?))
    }

    /// Takes a certificate from the certificate store of Windows, by a path such as `CurrentUser\MY\<thumbprint>`.
    /// The private key stays where it is, and signs through CNG.
    ///
    /// A signature is a call into the key's provider, which may block, the more so when the key is on a smart card: the
    /// TLS handshake runs on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Settings`] when the path is not one; [`Error::Identity`] when there is no such certificate, or no use
    /// of its key, and on any other system than Windows.
    pub fn from_windows_store(path: &str) -> Result<Self, Error> {
        Self::from_store_path(&StorePath::parse(path).map_err(Error::Settings)?)
    }

    /// As [`from_windows_store`](Self::from_windows_store), for a path that was understood.
    ///
    /// # Errors
    /// [`Error::Identity`].
    pub fn from_store_path(path: &StorePath) -> Result<Self, Error> {
        Ok(Self::on_a_device(windows_store::open(path)?))
    }

    fn new(key: CertifiedKey) -> Self {
        Self { key: Arc::new(key), blocks: false }
    }

    /// For a key whose signatures may block. That it belongs to the certificate was seen elsewhere.
    pub fn on_a_device(key: CertifiedKey) -> Self {
        Self { key: Arc::new(key), blocks: true }
    }

    /// The certificates of a PEM file, for a key that is elsewhere: the chain as the file has it, and then the chains
    /// that its other certificates lead, since the key's need not come first.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Identity`], as [`from_pem_files`](Self::from_pem_files).
    #[cfg(feature = "pkcs11")]
    pub(crate) fn read_chains(certificate: &Path) -> Result<Vec<Vec<CertificateDer<'static>>>, Error> {
        let chain = chain::parse(&PemFile::new(certificate, read(CERTIFICATE, certificate)?))?;
        let others: Vec<_> = (1..chain.len()).map(|leaf| x509::upwards(&chain, leaf)).collect();
        Ok([vec![chain], others].concat())
    }

    /// The certificate, with its chain behind it. The private key belongs to it: that was seen when they were read.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        self.key.cert.iter().filter_map(|certificate| Certificate::from_der(certificate)).collect()
    }

    /// Whether a signature may block the thread that asks for it.
    pub fn blocks(&self) -> bool {
        self.blocks
    }

    /// The certificate with its chain, and the key, as rustls has them.
    #[must_use]
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.key.cert.len()).finish_non_exhaustive()
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    file::read(what, path, MAX_FILE)?.ok_or_else(|| {
        problem(
            format!("the {what} {} is larger than 1 MiB", path.display()),
            Some("keys and certificates take a few thousand bytes: is it the right file?".to_owned()),
            None,
        )
    })
}

/// rustls reads X.509 v3 only. AWS IoT Core takes v1 too, which is what `openssl x509 -req` makes where it is told
/// nothing else, so the public keys of those are compared here.
fn belong_together(pair: &CertifiedKey) -> Result<(), rustls::Error> {
    let unread = match pair.keys_match() {
        Err(error @ rustls::Error::InvalidCertificate(_)) => error,
        outcome => return outcome,
    };
    let Some(certificate) = x509::parse(pair.end_entity_cert()?) else {
        return Err(unread);
    };
    match pair.key.public_key() {
        Some(own) if own.as_ref() == certificate.public_key().raw => Ok(()),
        _ => Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)),
    }
}

fn unusable(error: rustls::Error, certificate: &Path, key: &Path) -> Error {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => problem(
            format!("the {KEY} {key} does not belong to the {CERTIFICATE} {certificate}"),
            Some(
                "use the pair that was created together; AWS IoT names both files after the certificate's ID"
                    .to_owned(),
            ),
            None,
        ),
        rustls::Error::InvalidCertificate(_) => {
            problem(format!("the {CERTIFICATE} {certificate} cannot be read"), None, Some(error.into()))
        }
        error => problem(
            format!("the {KEY} {key} cannot be used"),
            Some(
                "RSA keys of 2048 to 8192 bits, and EC keys on P-256, P-384 or P-521, are supported"
                    .to_owned(),
            ),
            Some(error.into()),
        ),
    }
}

#[cfg(test)]
mod tests;
