use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256,
};
use sandbox::Sandbox;
use tempfile::TempDir;

use crate::{Outcome, Sample};

/// Tokens of SoftHSM2, a PKCS#11 library that keeps its tokens in files: here in a temporary folder.
#[derive(Debug)]
pub struct SoftHsm {
    folder: PathBuf,
    /// Removed with `self`.
    _temporary: Option<TempDir>,
}

/// The kinds of keys that TLS takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum KeyKind {
    Rsa2048,
    P256,
    P384,
    P521,
}

impl SoftHsm {
    /// The user PIN of every token here.
    pub const PIN: &str = "pin-8642-pin";

    /// Where packages put the library: Debian, Fedora, Homebrew, and from source.
    const LIBRARIES: [&str; 5] = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
    ];

    /// Without a token.
    ///
    /// # Panics
    ///
    /// When a temporary folder cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::with_settings("")
    }

    /// Without a token, and with lines of its own in softhsm2.conf.
    ///
    /// # Panics
    ///
    /// When a temporary folder cannot be made.
    #[must_use]
    pub fn with_settings(settings: &str) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder can be made");
        let mut hsm = Self::at(temporary.path(), settings);
        hsm._temporary = Some(temporary);
        hsm
    }

    /// The same in a folder of the caller's.
    ///
    /// # Panics
    ///
    /// When the folder is not writable.
    #[must_use]
    pub fn at(folder: &Path, settings: &str) -> Self {
        let tokens = folder.join("tokens");
        fs::create_dir(&tokens).expect("the folder is writable");
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n{settings}", tokens.display());
        let hsm = Self { folder: folder.to_owned(), _temporary: None };
        fs::write(hsm.config(), text).expect("the folder is writable");
        hsm
    }

    /// With one token, on which a device's key and certificate are: the label of all three is `device`.
    ///
    /// # Panics
    ///
    /// When SoftHSM2 or OpenSC is not installed, as everything here.
    #[must_use]
    pub fn with_device(sandbox: &Sandbox, kind: KeyKind) -> Self {
        let hsm = Self::new();
        hsm.make_device(sandbox, kind);
        hsm
    }

    /// Makes the token of [`with_device`](Self::with_device).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn make_device(&self, sandbox: &Sandbox, kind: KeyKind) {
        self.init_token("device");
        let certificate = self.add_device(sandbox, kind, "device", "01");
        self.store_certificate("device", &certificate, "device", "01");
    }

    /// The library.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn library() -> &'static str {
        Self::LIBRARIES.into_iter().find(|path| Path::new(path).is_file()).unwrap_or_else(|| {
            panic!("SoftHSM2 is not installed: run `cargo xtask setup --tests` first");
        })
    }

    /// OpenSC's library that writes each call to the file PKCS11SPY_OUTPUT, and hands it on to the library PKCS11SPY.
    ///
    /// # Panics
    ///
    /// When OpenSC is not installed.
    #[must_use]
    pub fn spy() -> PathBuf {
        let folders =
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/opt/homebrew/lib"];
        let files = folders.into_iter().flat_map(|folder| {
            ["pkcs11-spy.so", "pkcs11-spy.dylib"].map(|name| Path::new(folder).join(name))
        });
        files.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
            panic!("OpenSC is not installed: run `cargo xtask setup --tests` first");
        })
    }

    /// The file that SOFTHSM2_CONF has to name.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    /// A file next to the configuration that holds `text`.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("the folder is writable");
        path
    }

    /// Makes a token. Several may have the same label.
    ///
    /// # Panics
    ///
    /// When SoftHSM2 says no.
    pub fn init_token(&self, label: &str) {
        let flags =
            ["--init-token", "--free", "--label", label, "--so-pin", "so-pin-9753", "--pin", Self::PIN];
        self.softhsm2_util(&flags).succeeded();
    }

    /// Makes a key, has the sandbox certify it for a thing of the label's name, and puts the key, not the certificate,
    /// on a token. Returns the certificate's file.
    ///
    /// # Panics
    ///
    /// When the sandbox or SoftHSM2 says no.
    pub fn add_device(&self, sandbox: &Sandbox, kind: KeyKind, label: &str, id: &str) -> PathBuf {
        let algorithm = match kind {
            KeyKind::Rsa2048 => &PKCS_RSA_SHA256,
            KeyKind::P256 => &PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &PKCS_ECDSA_P384_SHA384,
            KeyKind::P521 => &PKCS_ECDSA_P521_SHA512,
        };
        let key = KeyPair::generate_for(algorithm).expect("a key can be made");
        let certificate = sandbox
            .certify_device(label, &rcgen::PublicKeyData::subject_public_key_info(&key))
            .expect("the sandbox certifies it");
        let file = self.file("key.pem", &key.serialize_pem());
        self.import("device", &file, label, id);
        fs::remove_file(file).expect("the file is there");
        certificate
    }

    /// Puts a private key, PKCS#8 in PEM, on the token of this label.
    ///
    /// # Panics
    ///
    /// When SoftHSM2 says no.
    pub fn import(&self, token: &str, key_file: &Path, label: &str, id: &str) {
        let file = key_file.display().to_string();
        let flags = [
            "--import",
            &file,
            "--token",
            token,
            "--label",
            label,
            "--id",
            id,
            "--pin",
            Self::PIN,
            "--force",
        ];
        self.softhsm2_util(&flags).succeeded();
    }

    /// Puts a certificate on the token of this label.
    ///
    /// # Panics
    ///
    /// When OpenSC says no.
    pub fn store_certificate(&self, token: &str, file: &Path, label: &str, id: &str) {
        let file = file.display().to_string();
        let object = ["--write-object", &file, "--type", "cert", "--label", label, "--id", id];
        self.pkcs11_tool(token, &object).succeeded();
    }

    /// Runs OpenSC's `pkcs11-tool`, logged in to the token of this label.
    ///
    /// # Panics
    ///
    /// When OpenSC is not installed.
    #[must_use]
    pub fn pkcs11_tool(&self, token: &str, flags: &[&str]) -> Outcome {
        let mut command = Command::new("pkcs11-tool");
        command.args(["--module", Self::library(), "--token-label", token, "--login", "--pin", Self::PIN]);
        Outcome::of(command.args(flags).env("SOFTHSM2_CONF", self.config()))
    }

    /// What `softhsm2-util --show-slots` prints.
    ///
    /// # Panics
    ///
    /// When SoftHSM2 is not installed.
    #[must_use]
    pub fn show_slots(&self) -> String {
        self.softhsm2_util(&["--show-slots"]).succeeded().stdout
    }

    fn softhsm2_util(&self, flags: &[&str]) -> Outcome {
        Outcome::of(Command::new("softhsm2-util").args(flags).env("SOFTHSM2_CONF", self.config()))
    }
}

impl Default for SoftHsm {
    fn default() -> Self {
        Self::new()
    }
}

impl Sample {
    /// SOFTHSM2_CONF, and `--pkcs11-lib`.
    #[must_use]
    pub fn softhsm(self, hsm: &SoftHsm) -> Self {
        self.env("SOFTHSM2_CONF", hsm.config()).args(["--pkcs11-lib", SoftHsm::library()])
    }
}
