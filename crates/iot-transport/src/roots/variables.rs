//! OpenSSL's variables, which replace the operating system's store: a file, and a list of directories
//! (<https://docs.openssl.org/3.0/man7/openssl-env/>).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use super::bundle::{Bundle, Loaded, read};
use crate::error::Error;
use crate::shortage;
use crate::text::Chain;

const CERT_FILE: &str = "SSL_CERT_FILE";
const CERT_DIR: &str = "SSL_CERT_DIR";

/// The roots that the variables name; `None` where neither is set. A warning names each place without roots.
///
/// # Errors
/// [`Error::File`] when this process may open no more files.
pub(super) fn roots(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Loaded>, Error> {
    let file = variable(CERT_FILE).map(PathBuf::from);
    let directories: Vec<_> = variable(CERT_DIR)
        .iter()
        .flat_map(env::split_paths)
        .filter(|directory| !directory.as_os_str().is_empty())
        .collect();
    if file.is_none() && directories.is_empty() {
        return Ok(None);
    }
    let (mut certificates, mut names, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let files = file.iter().map(|file| (CERT_FILE, from_file(file)));
    let directories = directories.iter().map(|directory| (CERT_DIR, from_directory(directory)));
    for (name, read) in files.chain(directories) {
        let (found, problem) = read?;
        if !found.is_empty() {
            certificates.extend(found);
            names.push(name);
        }
        problems.extend(problem.map(|problem| format!("{name}: {problem}")));
    }
    certificates.sort_unstable_by(|one, other| one.cmp(other));
    certificates.dedup();
    names.dedup();
    let mut loaded = Loaded::of(certificates, names.join(" and "));
    if loaded.store.is_empty() {
        loaded = Loaded::mozilla();
    }
    for problem in &problems {
        log::warn!("{problem}; trusting the roots of {}", loaded.from);
    }
    loaded.problems = problems;
    Ok(Some(loaded))
}

/// Certificates, and a complaint about those that cannot be used.
type Found = (Vec<CertificateDer<'static>>, Option<String>);

/// The certificates of a file: damaged ones are left out, as OpenSSL does.
fn from_file(path: &Path) -> Result<Found, Error> {
    match read(path) {
        Ok(Bundle { certificates, damage }) => Ok((certificates, damage.map(|damage| damage.to_string()))),
        // Other roots than the file's would trust other servers.
        Err(error) if error.shortage().is_some() => Err(error),
        Err(_) if path.as_os_str().is_empty() => Ok((Vec::new(), Some("it is set and empty".to_owned()))),
        Err(error) => Ok((Vec::new(), Some(Chain(&error).to_string()))),
    }
}

/// The certificates of all files of a directory, whatever their names.
fn from_directory(directory: &Path) -> Result<Found, Error> {
    let name = directory.display();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source) if shortage::of(&source).is_some() => {
            return Err(Error::File {
                what: "directory of CA certificates",
                path: directory.to_owned(),
                source,
            });
        }
        Err(error) => return Ok((Vec::new(), Some(format!("cannot read the directory {name}: {error}")))),
    };
    let mut certificates = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()) {
        let (found, problem) = from_file(&path)?;
        if let Some(problem) = problem {
            log::debug!("{CERT_DIR}: {problem}");
        }
        certificates.extend(found);
    }
    let problem = certificates.is_empty().then(|| format!("no file of {name} holds a CA certificate"));
    Ok((certificates, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrustStore;

    /// Describes the roots that these variables name.
    fn with(variables: &[(&str, &Path)]) -> TrustStore {
        let variable = |name: &str| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, path)| path.as_os_str().to_owned())
        };
        let Loaded { store, from, problems } = roots(variable).unwrap().expect("a variable is set");
        TrustStore { source: from, roots: store.len(), problems }
    }

    #[test]
    fn what_the_variables_of_openssl_name_replaces_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let [file, directory] = ["ca.pem", "certs"].map(|name| folder.path().join(name));
        fs::create_dir(&directory).unwrap();
        let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        let (one, other) = (made("one"), made("other"));
        fs::write(&file, format!("\u{feff}{one}")).unwrap();
        // As `openssl rehash` leaves it: each certificate by two names.
        for name in ["other.pem", "0a1b2c3d.0"] {
            fs::write(directory.join(name), &other).unwrap();
        }
        for (variables, source, roots) in [
            (&[(CERT_FILE, file.as_path())][..], "SSL_CERT_FILE", 1),
            (&[(CERT_DIR, directory.as_path())], "SSL_CERT_DIR", 1),
            (&[(CERT_FILE, &file), (CERT_DIR, &directory)], "SSL_CERT_FILE and SSL_CERT_DIR", 2),
        ] {
            let expected = TrustStore { source: source.to_owned(), roots, problems: Vec::new() };
            assert_eq!(with(variables), expected);
        }
        fs::write(&file, format!("{one}-----BEGIN CERTIFICATE-----\nA?A\n-----END CERTIFICATE-----\n"))
            .unwrap();
        let partly = with(&[(CERT_FILE, &file)]);
        assert_eq!((partly.roots, partly.problems.len()), (1, 1), "{partly:?}");
        assert!(roots(|_| None).unwrap().is_none());
        assert!(roots(|name| (name == CERT_DIR).then(OsString::new)).unwrap().is_none());
    }

    #[test]
    fn a_variable_that_names_no_roots_is_a_problem_and_mozilla_s_are_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let (here, nowhere) = (folder.path(), Path::new("/nowhere/ca.pem"));
        let mozilla = Loaded::mozilla().store.len();
        for (name, path, words) in [
            (CERT_FILE, nowhere, "SSL_CERT_FILE: cannot read the CA file /nowhere/ca.pem: No such file"),
            (CERT_FILE, Path::new(""), "SSL_CERT_FILE: it is set and empty"),
            (CERT_FILE, Path::new("/dev/null"), "SSL_CERT_FILE: the CA file /dev/null is empty"),
            (CERT_DIR, nowhere, "SSL_CERT_DIR: cannot read the directory /nowhere/ca.pem: No such file"),
            (CERT_DIR, here, "holds a CA certificate"),
        ] {
            let TrustStore { source, roots, problems } = with(&[(name, path)]);
            assert_eq!((source.as_str(), roots), ("Mozilla's bundle", mozilla), "{name} {path:?}");
            let [problem] = problems.as_slice() else { panic!("{name} {path:?}: {problems:?}") };
            assert!(problem.contains(words), "{problem}");
        }
    }
}
