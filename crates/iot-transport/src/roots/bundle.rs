//! Roots that were read, and the PEM files that hold them.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::error::Error;
use crate::file;
use crate::pem::{Foreign, PemFile, Purpose, TRUSTED_CERTIFICATE, Wanted};

/// The user's name for such a file.
pub(super) const WHAT: &str = "CA file";

/// In bytes; the bundles of operating systems take some hundred thousand.
const MAX_FILE: u64 = 16 << 20;

/// The roots, once they were read.
pub(super) struct Loaded {
    pub(super) store: Arc<RootCertStore>,
    pub(super) from: String,
    pub(super) problems: Vec<String>,
}

impl Loaded {
    /// Certificates that are no roots are left out, as OpenSSL does.
    pub(super) fn of(certificates: Vec<CertificateDer<'static>>, from: String) -> Self {
        let mut store = RootCertStore::empty();
        let (added, ignored) = store.add_parsable_certificates(certificates);
        log::debug!("trusting {added} roots of {from} ({ignored} unusable)");
        Self { store: Arc::new(store), from, problems: Vec::new() }
    }

    pub(super) fn mozilla() -> Self {
        let store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self { store: Arc::new(store), from: "Mozilla's bundle".to_owned(), problems: Vec::new() }
    }
}

/// The content of a PEM file: at least one certificate that can be a root.
pub(super) struct Bundle {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// The complaint about another one.
    pub(super) damage: Option<Error>,
}

/// # Errors
/// [`Error::File`] when the file cannot be read, [`Error::Identity`] when it holds no certificate.
pub(super) fn read(path: &Path) -> Result<Bundle, Error> {
    let unusable = |problem: &str, hint: Option<String>| {
        let usual =
            "it must hold certificates in PEM form; Amazon's are at https://www.amazontrust.com/repository/";
        Error::Identity {
            problem: format!("the {WHAT} {} {problem}", path.display()),
            hint: Some(hint.unwrap_or_else(|| usual.to_owned())),
            source: None,
        }
    };
    let content = file::read(WHAT, path, MAX_FILE)?.ok_or_else(|| unusable("is larger than 16 MiB", None))?;
    let file = PemFile::new(path, content);
    let (mut certificates, mut complaint) = (Vec::new(), None);
    for certificate in file.certificates(Purpose::Authorities) {
        match certificate {
            Ok(certificate) => certificates.push(certificate),
            Err(problem) => complaint = Some(problem),
        }
    }
    if !certificates.is_empty() {
        return match RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned()) {
            (0, _) => Err(unusable("holds no certificate that can be read", None)),
            _ => Ok(Bundle { certificates, damage: complaint.map(|complaint| unusable(complaint, None)) }),
        };
    }
    Err(match (file.foreign_format(Wanted::Authorities), complaint) {
        (Some(Foreign { is, hint }), _) => unusable(is, hint),
        (None, Some(complaint)) => unusable(complaint, None),
        (None, None) if file.has(TRUSTED_CERTIFICATE) => unusable(
            "holds certificates with OpenSSL's trust settings (TRUSTED CERTIFICATE), which are not read",
            Some(format!("write it without its settings: openssl x509 -in {0} -out {0}.pem", path.display())),
        ),
        (None, None) => unusable("holds no certificate", None),
    })
}
