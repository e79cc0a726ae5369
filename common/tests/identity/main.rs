//! Identities from files that OpenSSL wrote.

mod damage;
mod encrypted_keys;
mod pem;
mod pkcs12;

use std::path::{Path, PathBuf};

use iot_transport::{Error as TransportError, Identity};
use tempfile::TempDir;
use testkit::openssl;

/// How `openssl req` is asked for a key of each supported kind.
const KINDS: [&str; 3] = [
    "-newkey rsa:2048",
    "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
    "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
];

/// A folder with `cert.pem` and, not encrypted, `key.pem`.
struct Folder(TempDir);

impl Folder {
    fn new(kind: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.openssl(&format!(
            "req -x509 {kind} -nodes -keyout key.pem -out cert.pem -subj /CN=device -days 1"
        ));
        folder
    }

    fn openssl(&self, line: &str) {
        openssl(self.0.path(), line);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the command of a hint, with passwords for its questions.
    fn follow(&self, hint: &str, passwords: &str) {
        let (_, command) = hint.split_once(": openssl ").unwrap_or_else(|| panic!("no command in {hint:?}"));
        self.openssl(&format!("{command} {passwords}"));
    }
}

/// The problem and the hint of an identity that is refused.
#[track_caller]
fn refused(identity: Result<Identity, TransportError>) -> (String, String) {
    match identity {
        Err(TransportError::Identity { problem, hint, .. }) => (problem, hint.unwrap_or_default()),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// How many certificates an identity has: its `Debug` shows no more than that.
fn certificates(identity: &Identity) -> usize {
    let text = format!("{identity:?}");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(text, format!("Identity {{ certificates: {digits}, .. }}"));
    digits.parse().unwrap()
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
