//! The state directory: the files that clients of the sandbox need.

mod contract;
mod lock;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::{NamedTempFile, TempDir};

use crate::device::Device;
use crate::pki::Identity;
use crate::secret;

pub(crate) use contract::Contract;

use self::lock::Lock;

/// The file by which other programs find the sandbox.
pub(crate) const CONTRACT_FILE: &str = "sandbox.json";

/// The directory, for one sandbox at a time; a temporary one goes away with it.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
    _lock: Lock,
    _temporary: Option<TempDir>,
}

impl StateDirectory {
    /// A directory of the caller's, made if it is not there, or a private one. No other sandbox may use it.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let (path, temporary) = match path {
            Some(path) => (path.to_owned(), None),
            None => {
                let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
                (temporary.path().join("sandbox"), Some(temporary))
            }
        };
        make(&path).with_context(|| format!("cannot make the state directory {}", path.display()))?;
        let path = fs::canonicalize(&path).with_context(|| format!("cannot resolve {}", path.display()))?;
        let lock = Lock::take(&path)?;
        Ok(StateDirectory { path, _lock: lock, _temporary: temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file for the owner's eyes only: all of it, or none. Returns its absolute path.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        let write = || {
            // Made with mode 0600. It need not outlast a power failure: the next start makes it anew.
            let mut file = NamedTempFile::new_in(&self.path)?;
            file.write_all(contents)?;
            file.persist(&path)?;
            anyhow::Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Removes the contract, if it is there.
    pub(crate) fn remove_contract(&self) -> anyhow::Result<()> {
        let path = self.path.join(CONTRACT_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the certificate and the key of a device, as PEM and as PKCS#12.
    pub(crate) fn write_device(&self, thing_name: &str, identity: &Identity) -> anyhow::Result<Device> {
        let cert_file = self.write_certificate(thing_name, &identity.certificate_pem())?;
        let password = secret::token()?;
        let pkcs12 = identity.pkcs12(thing_name, &password)?;
        Ok(Device {
            cert_file,
            key_file: self.write(&format!("{thing_name}.key.pem"), identity.key_pem().as_bytes())?,
            pkcs12_file: self.write(&format!("{thing_name}.p12"), &pkcs12)?,
            pkcs12_password: password,
            thing_name: thing_name.to_owned(),
        })
    }

    /// Writes the certificate of a device.
    pub(crate) fn write_certificate(&self, thing_name: &str, pem: &str) -> anyhow::Result<PathBuf> {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | ':');
        ensure!(
            !thing_name.is_empty() && !thing_name.starts_with('.') && thing_name.chars().all(plain),
            "{thing_name:?} is no name for a thing: letters, digits, and - _ . : only"
        );
        self.write(&format!("{thing_name}.cert.pem"), pem.as_bytes())
    }
}

/// Makes a directory for the owner only, where the system knows of modes. Those above it are as any others.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    // Recursive only so that it may be there.
    builder.recursive(true).create(path)
}
