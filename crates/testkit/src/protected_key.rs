use std::fs;
use std::path::PathBuf;

use sandbox::Device;
use tempfile::TempDir;

use crate::openssl;

/// A device's key behind a password, in the forms that OpenSSL writes, in a folder that goes away with this value.
#[derive(Debug)]
pub struct ProtectedKey {
    folder: TempDir,
}

impl ProtectedKey {
    /// The password of all the files.
    pub const PASSWORD: &str = "correct horse";

    /// Writes the files for `device`.
    ///
    /// # Panics
    ///
    /// When openssl is not installed, or a file cannot be written.
    #[must_use]
    pub fn of(device: &Device) -> Self {
        let protected = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
        for (from, to) in [(&device.cert_file, "device.pem"), (&device.key_file, "plain.key")] {
            fs::copy(from, protected.folder.path().join(to)).expect("the device has files");
        }
        fs::write(protected.password_file(), format!("{}\n", Self::PASSWORD))
            .expect("the folder is writable");
        let run = |line| openssl(protected.folder.path(), line);
        run("pkey -in plain.key -aes256 -out device.key -passout file:password");
        run("pkcs12 -export -in device.pem -inkey plain.key -out device.p12 -passout file:password");
        protected
    }

    /// The private key as encrypted PKCS#8, in PEM.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("device.key")
    }

    /// The key and its certificate as PKCS#12.
    #[must_use]
    pub fn pkcs12_file(&self) -> PathBuf {
        self.folder.path().join("device.p12")
    }

    /// The password, on a line.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }
}
