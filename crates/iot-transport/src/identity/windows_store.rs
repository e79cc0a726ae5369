//! The certificate store of Windows.
//!
//! The path is understood, and tested, on every system. The part behind `cfg(windows)` was only reviewed and checked
//! against the types of its libraries: it has never run.

use std::fmt;

use rustls::sign::CertifiedKey;

use super::problem::problem;
use crate::error::Error;

/// `CurrentUser\MY\<thumbprint>`, as the official samples write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePath {
    location: Location,
    store: String,
    thumbprint: [u8; 20],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Location {
    CurrentUser,
    LocalMachine,
}

impl StorePath {
    /// # Errors
    /// What is wrong with the path, in words.
    pub fn parse(path: &str) -> Result<Self, String> {
        let wanted = r"expected CurrentUser\MY\<thumbprint> or LocalMachine\MY\<thumbprint>";
        // PowerShell lists certificates with this in front.
        let plain = match path.get(..6) {
            Some(drive) if drive.eq_ignore_ascii_case(r"Cert:\") => &path[6..],
            _ => path,
        };
        let parts: Vec<&str> = plain.split('\\').collect();
        let &[location, store, thumbprint] = &parts[..] else {
            return Err(format!("{path:?} does not have three parts: {wanted}"));
        };
        let location = match location {
            _ if location.eq_ignore_ascii_case("CurrentUser") => Location::CurrentUser,
            _ if location.eq_ignore_ascii_case("LocalMachine") => Location::LocalMachine,
            _ => return Err(format!("{location:?} is not a location of certificates: {wanted}")),
        };
        if store.is_empty() {
            return Err(format!("{path:?} names no store: {wanted}"));
        }
        // The dialog of Windows shows it with spaces, and copies an invisible mark in front of it.
        let digits: String = thumbprint.chars().filter(|c| !c.is_whitespace() && *c != '\u{200e}').collect();
        let thumbprint = hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
            format!("{thumbprint:?} is not a thumbprint: the SHA-1 of the certificate, as 40 hexadecimal digits")
        })?;
        Ok(Self { location, store: store.to_owned(), thumbprint })
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, store, thumbprint } = self;
        write!(f, r"{location:?}\{store}\{}", hex::encode_upper(thumbprint))
    }
}

/// # Errors
/// [`Error::Identity`].
#[cfg(not(windows))]
pub(super) fn open(path: &StorePath) -> Result<CertifiedKey, Error> {
    Err(problem(
        format!(
            "there is no certificate store for {path}: only Windows has one, and this is {}",
            std::env::consts::OS
        ),
        Some("run this on Windows; a PKCS#12 file or a PKCS#11 token serves on every system".to_owned()),
        None,
    ))
}

/// # Errors
/// [`Error::Identity`] when there is no such store or certificate, or when its key cannot be had.
#[cfg(windows)]
pub(super) fn open(path: &StorePath) -> Result<CertifiedKey, Error> {
    use std::sync::Arc;

    use rustls::pki_types::CertificateDer;
    use rustls_cng::signer::CngSigningKey;
    use rustls_cng::store::{CertStore, CertStoreType};

    let location = match path.location {
        Location::CurrentUser => CertStoreType::CurrentUser,
        Location::LocalMachine => CertStoreType::LocalMachine,
    };
    let found = CertStore::open(location, &path.store).and_then(|store| store.find_by_sha1(path.thumbprint));
    let found = found.map_err(|error| {
        problem(format!("cannot search the certificate store for {path}"), None, Some(error.into()))
    })?;
    let Some(certificate) = found.first() else {
        return Err(problem(
            format!("there is no certificate {path}"),
            Some(r"PowerShell lists them: Get-ChildItem Cert:\CurrentUser\My".to_owned()),
            None,
        ));
    };
    // Without dialogs, which a service could not answer.
    let key = certificate.acquire_key(true).and_then(CngSigningKey::new).map_err(|error| {
        problem(
            format!("the private key of the certificate {path} cannot be used"),
            Some(
                "it must be in the store together with the certificate, be open to this user, and have a CNG provider"
                    .to_owned(),
            ),
            Some(error.into()),
        )
    })?;
    let chain = certificate.as_chain_der().map_err(|error| {
        problem(format!("the chain of the certificate {path} cannot be built"), None, Some(error.into()))
    })?;
    Ok(CertifiedKey::new(chain.into_iter().map(CertificateDer::from).collect(), Arc::new(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THUMBPRINT: &str = "6AC133AC58F0A88B83E9C794EBA156A98DA39B4C";

    #[test]
    fn paths_are_understood_as_windows_shows_them() {
        let expected = format!(r"CurrentUser\MY\{THUMBPRINT}");
        let spaced = "\u{200e}6a c1 33 ac 58 f0 a8 8b 83 e9 c7 94 eb a1 56 a9 8d a3 9b 4c";
        for path in [
            expected.clone(),
            format!(r"currentuser\MY\{}", THUMBPRINT.to_lowercase()),
            format!(r"Cert:\CurrentUser\MY\{THUMBPRINT}"),
            format!(r"CurrentUser\MY\{spaced}"),
        ] {
            assert_eq!(StorePath::parse(&path).map(|path| path.to_string()), Ok(expected.clone()), "{path}");
        }
        let machine = StorePath::parse(&format!(r"LocalMachine\Devices\{THUMBPRINT}")).unwrap();
        assert_eq!((machine.location, machine.store.as_str()), (Location::LocalMachine, "Devices"));
    }

    #[test]
    fn other_paths_are_refused_with_the_part_that_is_wrong() {
        for (path, words) in [
            ("", "three parts"),
            (THUMBPRINT, "three parts"),
            ("CurrentUser/MY/6AC1", "three parts"),
            (r"Services\MY\6AC1", "\"Services\" is not a location"),
            (r"CurrentUser\\6AC1", "names no store"),
            (r"CurrentUser\MY\6AC1", "\"6AC1\" is not a thumbprint"),
            (&format!(r"CurrentUser\MY\{THUMBPRINT}00"), "40 hexadecimal digits"),
            ("Cert:é", "three parts"),
        ] {
            let error = StorePath::parse(path).unwrap_err();
            assert!(error.contains(words), "{path:?}: {error}");
        }
    }

    #[test]
    #[cfg(not(windows))]
    fn elsewhere_it_says_so() {
        let error =
            super::super::Identity::from_windows_store(&format!(r"CurrentUser\MY\{THUMBPRINT}")).unwrap_err();
        assert!(error.to_string().contains("only Windows has one"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("PKCS#12")));
    }
}
