//! The certificate authorities that a server's certificate may come from.

mod bundle;
mod variables;

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls_native_certs::ErrorKind;

use self::bundle::{Bundle, Loaded, WHAT, read};
use crate::error::Error;
use crate::shortage;

/// The trusted roots. Cheap to clone; read from disk once, when the first connection needs them.
#[derive(Clone)]
pub struct Roots {
    source: Source,
    loaded: Arc<OnceLock<Loaded>>,
}

/// Whom a server's certificate may come from. [`Display`](fmt::Display) says it in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustStore {
    /// Where the roots are from.
    pub source: String,
    /// The number of roots.
    pub roots: usize,
    /// The complaints about `SSL_CERT_FILE` and `SSL_CERT_DIR`, one for each place without usable roots.
    pub problems: Vec<String>,
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
    /// The operating system's roots, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, or the bundled Mozilla ones
    /// where there are none. The first and the last hold Amazon's.
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
        let Loaded { store, from, problems } = self.loaded()?;
        Ok(TrustStore { source: from.clone(), roots: store.len(), problems: problems.clone() })
    }

    fn new(source: Source) -> Self {
        Self { source, loaded: Arc::default() }
    }

    /// The roots, read at the first call.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Identity`] when it holds no certificate.
    pub fn load(&self) -> Result<Arc<RootCertStore>, Error> {
        Ok(Arc::clone(&self.loaded()?.store))
    }

    fn loaded(&self) -> Result<&Loaded, Error> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = match &self.source {
            Source::System => match variables::roots(|name| env::var_os(name))? {
                Some(loaded) => loaded,
                None => from_system()?,
            },
            Source::File(path) => match read(path)? {
                Bundle { damage: Some(damage), .. } => return Err(damage),
                Bundle { certificates, .. } => {
                    Loaded::of(certificates, format!("the {WHAT} {}", path.display()))
                }
            },
        };
        Ok(self.loaded.get_or_init(|| loaded))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Roots").field(&self.source).finish()
    }
}

/// # Errors
/// [`Error::File`] when this process may open no more files.
fn from_system() -> Result<Loaded, Error> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        log::debug!("the operating system's trust store: {error}");
        // The rest of the store would trust other servers than the whole.
        if let ErrorKind::Io { inner: source, path } = error.kind
            && shortage::of(&source).is_some()
        {
            return Err(Error::File { what: "operating system's trusted certificate", path, source });
        }
    }
    let loaded = Loaded::of(found.certs, "the operating system's store".to_owned());
    if loaded.store.is_empty() {
        log::info!("the operating system has no trusted roots: using the bundled Mozilla ones");
        return Ok(Loaded::mozilla());
    }
    Ok(loaded)
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
    #[cfg(unix)]
    fn a_ca_file_without_an_end_is_refused() {
        let error = Roots::from_file("/dev/zero").load().expect_err("refused");
        assert_eq!(error.to_string(), "the CA file /dev/zero is larger than 16 MiB");
    }

    #[test]
    fn there_is_always_a_root() {
        assert!(!Roots::system().load().expect("loads").is_empty());
    }
}
