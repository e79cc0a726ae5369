//! An X.509 client identity: a certificate, its chain, and its private key.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{pem, tls};
use crate::error::{Cause, Error};

/// What the user calls the two files.
const CERTIFICATE: &str = "client certificate";
const KEY: &str = "private key";

/// A client certificate with its chain and its private key. Cheap to clone; its `Debug` hides the key.
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads a certificate, with its chain behind it if it has one, and its private key in PKCS#8, PKCS#1 or SEC1
    /// form, from two PEM files. They may be the same file.
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be read; [`Error::Identity`], saying what is in the file instead, when it
    /// does not hold what it should, when the key is encrypted, and when key and certificate do not belong together.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let certificate_pem = read(CERTIFICATE, certificate)?;
        let key_pem = read(KEY, key)?;
        if !holds(&certificate_pem, "CERTIFICATE-----")
            && holds(&certificate_pem, "PRIVATE KEY-----")
            && holds(&key_pem, "CERTIFICATE-----")
        {
            return Err(problem(
                format!("{} holds a key and {} a certificate", certificate.display(), key.display()),
                Some("the certificate and the key are swapped".to_owned()),
                None,
            ));
        }
        let chain = parse_chain(&certificate_pem, certificate)?;
        let private_key = parse_key(&key_pem, key)?;

        let signing_key = tls::provider()
            .key_provider
            .load_private_key(private_key)
            .map_err(|error| unusable(error, certificate, key))?;
        let pair = CertifiedKey::new(chain, signing_key);
        belong_together(&pair).map_err(|error| unusable(error, certificate, key))?;
        Ok(Self { key: Arc::new(pair) })
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.key.cert.len()).finish_non_exhaustive()
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { what, path: path.to_owned(), source })
}

/// Whether the file has a section whose BEGIN line ends so.
fn holds(pem: &[u8], label: &str) -> bool {
    String::from_utf8_lossy(pem)
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(label))
}

fn parse_chain(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refuse = |what_is_wrong: &str, hint: Option<&str>| {
        problem(
            format!("the {CERTIFICATE} {} {what_is_wrong}", path.display()),
            hint.map(ToOwned::to_owned),
            None,
        )
    };
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refuse(pem::complaint(&error), None))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(match pem::foreign_format(pem) {
        Some(format) if format.contains("DER") => refuse(
            format,
            Some(&format!("convert it: openssl x509 -inform DER -in {0} -out {0}.pem", path.display())),
        ),
        Some(format) => refuse(format, None),
        None if holds(pem, "CERTIFICATE REQUEST-----") => refuse(
            "holds a certificate request, not a certificate",
            Some("AWS IoT signs the request: use its answer"),
        ),
        None if holds(pem, "PRIVATE KEY-----") => refuse("holds a private key, not a certificate", None),
        None => refuse("holds no certificate", Some("it must hold a -----BEGIN CERTIFICATE----- section")),
    })
}

fn parse_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let refuse = |what_is_wrong: &str, hint: Option<&str>| {
        problem(format!("the {KEY} {} {what_is_wrong}", path.display()), hint.map(ToOwned::to_owned), None)
    };
    // RFC 7468 §11 and, for OpenSSL's older form, RFC 1421 §4.6.1.1.
    let encrypted = holds(pem, "ENCRYPTED PRIVATE KEY-----")
        || String::from_utf8_lossy(pem).lines().any(|line| line.starts_with("Proc-Type: 4,ENCRYPTED"));
    if encrypted {
        let decrypt =
            format!("decrypt it: openssl pkey -in {0} -out {0}.plain && chmod 600 {0}.plain", path.display());
        return Err(refuse("is encrypted, which is not supported yet", Some(&decrypt)));
    }
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => Err(match pem::foreign_format(pem) {
            Some(format) if format.contains("DER") => refuse(
                format,
                Some(&format!("convert it: openssl pkey -inform DER -in {0} -out {0}.pem", path.display())),
            ),
            Some(format) => refuse(format, None),
            None if holds(pem, "PUBLIC KEY-----") => {
                refuse("holds the public key", Some("AWS IoT names the private one <id>-private.pem.key"))
            }
            None if holds(pem, "CERTIFICATE-----") => refuse("holds a certificate, not a key", None),
            None => {
                refuse("holds no private key", Some("it must hold a -----BEGIN … PRIVATE KEY----- section"))
            }
        }),
        // The reader's error quotes the file: it must not be passed on.
        Err(error) => Err(refuse(pem::complaint(&error), None)),
    }
}

/// rustls reads X.509 v3 only. AWS IoT Core takes v1 too, which is what `openssl x509 -req` makes where it is told
/// nothing else, so the public keys of those are compared here.
fn belong_together(pair: &CertifiedKey) -> Result<(), rustls::Error> {
    let unread = match pair.keys_match() {
        Err(error @ rustls::Error::InvalidCertificate(_)) => error,
        outcome => return outcome,
    };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(pair.end_entity_cert()?) else {
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

fn problem(problem: String, hint: Option<String>, source: Option<Cause>) -> Error {
    Error::Identity { problem, hint, source }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rcgen::CertifiedKey as Generated;
    use rcgen::{KeyPair, generate_simple_self_signed};

    use super::*;

    /// A certificate and its key as PEM.
    fn pair() -> (String, String) {
        let Generated { cert, signing_key } =
            generate_simple_self_signed(["device".to_owned()]).expect("generates");
        (cert.pem(), signing_key.serialize_pem())
    }

    fn load(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Identity, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate_file, key_file) = (folder.path().join("cert"), folder.path().join("key"));
        std::fs::write(&certificate_file, certificate).expect("writable");
        std::fs::write(&key_file, key).expect("writable");
        Identity::from_pem_files(&certificate_file, &key_file)
    }

    fn refusal(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> String {
        match load(certificate, key) {
            Err(Error::Identity { problem, hint, .. }) => format!("{problem}; {}", hint.unwrap_or_default()),
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn reads_a_pair_and_hides_the_key() {
        let (certificate, key) = pair();
        let identity = load(&certificate, &key).expect("loads");
        assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
        let both = format!("{key}{certificate}{certificate}");
        assert_eq!(load(&both, &both).expect("loads").key.cert.len(), 2);
    }

    #[test]
    fn says_what_a_file_holds_instead() {
        let (certificate, key) = pair();
        let public = KeyPair::generate().expect("generates").public_key_pem();
        let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
        for (certificate_file, key_file, words) in [
            (key.as_str(), certificate.as_str(), "are swapped"),
            (&key, &key, "holds a private key, not a certificate"),
            (&certificate, &certificate, "holds a certificate, not a key"),
            (request, &key, "holds a certificate request"),
            ("", &key, "cert is empty"),
            ("hello", &key, "cert holds no certificate"),
            (&certificate, "", "key is empty"),
            (&certificate, "hello", "key holds no private key"),
            (&certificate, &public, "holds the public key"),
            (
                &certificate,
                encrypted,
                "is encrypted, which is not supported yet; decrypt it: openssl pkey -in",
            ),
            (&certificate, legacy, "is encrypted, which is not supported yet"),
            (&certificate, &pair().1, "does not belong to the client certificate"),
            (&certificate[..80], &key, "cut off"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "cert cannot be read"),
            (
                &certificate,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "key cannot be used",
            ),
        ] {
            let refusal = refusal(certificate_file, key_file);
            assert!(refusal.contains(words), "expected {words:?} in {refusal:?}");
        }
    }

    #[test]
    fn tells_der_from_pem() {
        let Generated { cert, signing_key } =
            generate_simple_self_signed(["device".to_owned()]).expect("generates");
        let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
        assert!(
            refusal(cert.der(), &key).contains("DER form, not PEM; convert it: openssl x509 -inform DER")
        );
        assert!(refusal(&certificate, signing_key.serialize_der()).contains("openssl pkey -inform DER"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let nowhere = PathBuf::from("/nowhere/device.pem");
        let error = Identity::from_pem_files(&nowhere, &nowhere).expect_err("missing");
        assert_eq!(error.to_string(), "cannot read the client certificate /nowhere/device.pem");
    }

    #[test]
    fn a_damaged_key_is_not_quoted() {
        let (certificate, key) = pair();
        let on_one_line = key.replace('\n', "");
        let error = load(&certificate, &on_one_line).expect_err("damaged");
        let secret =
            on_one_line.as_bytes()[40..50].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        assert!(!format!("{error:?}").contains(&secret), "{error:?}");
        assert!(error.to_string().contains("on one line"), "{error}");
    }
}
