//! The state directory: the files that clients of the sandbox need.

mod contract;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::{NamedTempFile, TempDir};

use crate::device::Device;
use crate::pki::Identity;

pub(crate) use contract::{Contract, DeviceFiles, Keys};

/// The file by which other programs find the sandbox.
pub(crate) const CONTRACT_FILE: &str = "sandbox.json";

/// The directory; a temporary one goes away with it.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

impl StateDirectory {
    /// A directory of the caller's, made if it is not there, or a private one.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let (path, temporary) = match path {
            Some(path) => (path.to_owned(), None),
            None => {
                let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
                (temporary.path().join("sandbox"), Some(temporary))
            }
        };
        private(&mut fs::DirBuilder::new())
            .recursive(true)
            .create(&path)
            .with_context(|| format!("cannot make the state directory {}", path.display()))?;
        let path = fs::canonicalize(&path).with_context(|| format!("cannot resolve {}", path.display()))?;
        Ok(StateDirectory { path, _temporary: temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file for the owner's eyes only: all of it, or none. Returns its absolute path.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        let write = || {
            // Made with mode 0600.
            let mut file = NamedTempFile::new_in(&self.path)?;
            file.write_all(contents)?;
            file.as_file().sync_all()?;
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

    /// Writes the certificate and the key of a device.
    pub(crate) fn write_device(&self, thing_name: &str, identity: &Identity) -> anyhow::Result<Device> {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | ':');
        ensure!(
            !thing_name.is_empty() && !thing_name.starts_with('.') && thing_name.chars().all(plain),
            "{thing_name:?} is no name for a thing: letters, digits, and - _ . : only"
        );
        Ok(Device {
            thing_name: thing_name.to_owned(),
            cert_file: self
                .write(&format!("{thing_name}.cert.pem"), identity.certificate_pem().as_bytes())?,
            key_file: self.write(&format!("{thing_name}.key.pem"), identity.key_pem().as_bytes())?,
        })
    }
}

/// Makes directories for the owner only, where the system knows of modes.
fn private(builder: &mut fs::DirBuilder) -> &mut fs::DirBuilder {
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
    builder
}
