//! Encrypted private keys: the refusals that their forms share, and the look at what a password leaves.

use std::path::Path;

use pkcs8::der::asn1::{AnyRef, IntRef};
use pkcs8::der::{Decode, Reader};

use super::problem::{KEY, problem};
use crate::error::Error;

/// Why an encrypted key stays closed whatever the password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not what its BEGIN line says.
    Damaged,
    /// OpenSSL reads it; we do not.
    Unsupported {
        /// The scheme, in words for "encrypted with".
        scheme: String,
        provider: Provider,
    },
}

/// Which of OpenSSL 3's providers has a cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    Default,
    Legacy,
}

impl Refusal {
    pub(super) fn about(self, path: &Path) -> Error {
        match self {
            Self::Damaged => refuse(path, "is damaged: what it holds is not an encrypted key", None),
            Self::Unsupported { scheme, provider } => {
                let providers = match provider {
                    Provider::Default => "",
                    Provider::Legacy => " -provider legacy -provider default",
                };
                let hint = format!(
                    "encrypt it anew: openssl pkey -in {0} -aes256 -out {0}.aes{providers}",
                    path.display()
                );
                refuse(path, &format!("is encrypted with {scheme}, which is not supported"), Some(hint))
            }
        }
    }
}

/// Whether `der` is a key of whichever form: a SEQUENCE that fills it, and begins with the version (PKCS#1 of RFC 8017
/// §A.1.2, SEC1 of RFC 5915 §3, PKCS#8 of RFC 5958 §2).
///
/// CBC has no checksum: one wrong password in 256 leaves what looks like padding, with noise before it.
pub(super) fn is_key(der: &[u8]) -> bool {
    AnyRef::from_der(der).is_ok_and(|any| {
        any.sequence(|reader| {
            IntRef::decode(reader)?;
            while !reader.is_finished() {
                AnyRef::decode(reader)?;
            }
            Ok::<(), pkcs8::der::Error>(())
        })
        .is_ok()
    })
}

/// The refusal of a private key's file.
pub(super) fn refuse(path: &Path, what_is_wrong: &str, hint: Option<String>) -> Error {
    problem(format!("the {KEY} {} {what_is_wrong}", path.display()), hint, None)
}
