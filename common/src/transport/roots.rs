//! The certificate authorities that a server's certificate may come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_native_certs::ErrorKind;

use super::pem;
use crate::error::Error;
use crate::shortage;

/// What the user calls such a file.
const WHAT: &str = "CA file";

/// The trusted roots. Cheap to clone; read from disk once, when the first connection needs them.
#[derive(Clone)]
pub struct Roots {
    source: Source,
    store: Arc<OnceLock<Arc<RootCertStore>>>,
}

/// Whom a server's certificate may come from. [`Display`](fmt::Display) says it in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustStore {
    /// Where the roots are from.
    pub source: String,
    /// How many there are.
    pub roots: usize,
}

impl fmt::Display for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = if self.roots == 1 { "root" } else { "roots" };
        write!(f, "{} {roots} of {}", self.roots, self.source)
    }
}

#[derive(Debug, Clone)]
enum Source {
    System,
    File(PathBuf),
}

impl Roots {
    /// The operating system's roots, or the bundled Mozilla ones where the system has none. Both hold Amazon's.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Source::System)
    }

    /// The roots of a PEM file, in place of the operating system's.
    ///
    /// The file is read when the first connection is prepared; a file that cannot be used is an error then.
    #[must_use]
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::File(path.into()))
    }

    /// Says what is trusted, which reads it.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Identity`] when it holds no certificate.
    pub fn describe(&self) -> Result<TrustStore, Error> {
        let source = match &self.source {
            Source::System => "the operating system's store, or Mozilla's where that is empty".to_owned(),
            Source::File(path) => format!("the {WHAT} {}", path.display()),
        };
        Ok(TrustStore { source, roots: self.load()?.len() })
    }

    fn new(source: Source) -> Self {
        Self { source, store: Arc::default() }
    }

    /// The roots, read at the first call.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Identity`] when it holds no certificate.
    pub(crate) fn load(&self) -> Result<Arc<RootCertStore>, Error> {
        if let Some(store) = self.store.get() {
            return Ok(Arc::clone(store));
        }
        let store = match &self.source {
            Source::System => from_system()?,
            Source::File(path) => from_pem(path)?,
        };
        Ok(Arc::clone(self.store.get_or_init(|| Arc::new(store))))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Roots").field(&self.source).finish()
    }
}

fn from_system() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::debug!("the operating system's trust store: {error}");
        // What is left of the store would trust other servers than the whole.
        if let ErrorKind::Io { inner: source, path } = error.kind
            && shortage::of(&source).is_some()
        {
            return Err(Error::File { what: "operating system's trusted certificate", path, source });
        }
    }
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        log::info!("the operating system has no trusted roots: using the bundled Mozilla ones");
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    } else {
        log::debug!("trusting {added} roots of the operating system ({ignored} unusable)");
    }
    Ok(store)
}

fn from_pem(path: &Path) -> Result<RootCertStore, Error> {
    let content =
        std::fs::read(path).map_err(|source| Error::File { what: WHAT, path: path.to_owned(), source })?;
    let unusable = |problem: &str| Error::Identity {
        problem: format!("the {WHAT} {} {problem}", path.display()),
        hint: Some(
            "it must hold certificates in PEM form; Amazon's are at https://www.amazontrust.com/repository/"
                .to_owned(),
        ),
        source: None,
    };
    let certificates = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(pem::complaint(&error)))?;
    if certificates.is_empty() {
        return Err(unusable(pem::foreign_format(&content).unwrap_or("holds no certificate")));
    }
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(unusable("holds no certificate that can be read"));
    }
    log::debug!("trusting {added} roots of {} in place of the system's ({ignored} unusable)", path.display());
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(content: &[u8]) -> Result<Arc<RootCertStore>, Error> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("writable");
        Roots::from_file(file.path()).load()
    }

    #[test]
    fn a_file_replaces_the_system() {
        let ca = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).expect("a certificate");
        assert_eq!(load(ca.cert.pem().as_bytes()).expect("loads").len(), 1);
    }

    #[test]
    fn unusable_files_are_named() {
        for (content, word) in [
            ("", "is empty"),
            ("some text", "holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "that can be read"),
            ("-----BEGIN CERTIFICATE-----\nA?A\n-----END CERTIFICATE-----\n", "is damaged"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "is cut off"),
        ] {
            let error = load(content.as_bytes()).expect_err(word).to_string();
            assert!(error.contains(word) && error.contains("the CA file /"), "{error}");
        }
        let missing = Roots::from_file("/nowhere/ca.pem").load().expect_err("missing");
        assert_eq!(missing.to_string(), "cannot read the CA file /nowhere/ca.pem");
    }

    #[test]
    fn there_is_always_a_root() {
        assert!(!Roots::system().load().expect("loads").is_empty());
    }
}
