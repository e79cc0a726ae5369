//! The paths of the AWS configuration files.
//!
//! The SDK takes a default file that it cannot read, or that is not UTF-8, for an empty one; here it is an error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::fs_util::{Os, home_dir};
use aws_types::os_shim_internal::Env;

use super::environment;
use crate::error::{Cause, Error};

/// One of the two files: what messages call it, the variable that names another, and where it usually is.
struct File {
    kind: EnvConfigFileKind,
    what: &'static str,
    variable: &'static str,
    usual: &'static str,
}

const CONFIG: File = File {
    kind: EnvConfigFileKind::Config,
    what: "AWS config file",
    variable: "AWS_CONFIG_FILE",
    usual: "~/.aws/config",
};
const CREDENTIALS: File = File {
    kind: EnvConfigFileKind::Credentials,
    what: "AWS credentials file",
    variable: "AWS_SHARED_CREDENTIALS_FILE",
    usual: "~/.aws/credentials",
};

/// The files that exist: those that were named, and the usual ones in place of what was not.
///
/// # Errors
/// [`Error::File`] for a file that cannot be read, [`Error::Settings`] for one that is not UTF-8 and for a variable that
/// cannot be used.
pub(super) fn find(config: Option<&Path>, credentials: Option<&Path>) -> Result<EnvConfigFiles, Error> {
    let mut files = EnvConfigFiles::builder();
    let mut found = false;
    for (file, named) in [(CONFIG, config), (CREDENTIALS, credentials)] {
        let path = match named {
            Some(path) => Some(path.to_owned()),
            None => file.path().map_err(|error| Error::Settings(error.to_string()))?,
        };
        let Some(path) = path else { continue };
        match fs::read(&path) {
            Ok(content) if std::str::from_utf8(&content).is_ok() => {
                files = files.with_file(file.kind, path);
                found = true;
            }
            Ok(_) => {
                let path = path.display();
                return Err(Error::Settings(format!("the {} {path} is not UTF-8", file.what)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {}
            Err(source) => return Err(Error::File { what: file.what, path, source }),
        }
    }
    // The SDK asks for one at least.
    Ok(if found { files } else { files.with_contents(EnvConfigFileKind::Config, "") }.build())
}

impl File {
    /// Where the file is, unless it was named; `None` where nobody knows the home directory.
    fn path(&self) -> Result<Option<PathBuf>, Cause> {
        let path = environment::variable(self.variable)?;
        if std::env::var_os("HOME").is_some_and(|home| home.to_str().is_none()) && path.is_none() {
            return Err("HOME is not UTF-8".into());
        }
        let home = || home_dir(&Env::real(), Os::real()).map(PathBuf::from);
        let path = path.unwrap_or_else(|| self.usual.to_owned());
        Ok(match path.strip_prefix("~/") {
            Some(below) => home().map(|home| home.join(below)),
            None => Some(PathBuf::from(path)),
        })
    }
}
