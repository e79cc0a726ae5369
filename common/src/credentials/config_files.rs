//! The AWS configuration files.
//!
//! The SDK takes a default file that it cannot read, or that is not UTF-8, for an empty one; here it is an error.

use std::io;
use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::fs_util::{Os, home_dir};
use aws_types::os_shim_internal::Env;
use iot_transport::text::Chain;
use iot_transport::{Cause, Error, file};

use super::environment;

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

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
/// A usual file that cannot be read is left out with a warning where the other file was named: all may be in that one.
///
/// # Errors
/// [`iot_transport::Error::File`] for a file that cannot be read or is not UTF-8, [`Error::Settings`] for a variable that cannot be
/// used.
pub(super) fn find(config: Option<&Path>, credentials: Option<&Path>) -> Result<EnvConfigFiles, Error> {
    let mut files = EnvConfigFiles::builder();
    let (mut found, mut found_named, mut left_out) = (false, false, None);
    for (file, flag) in [(CONFIG, config), (CREDENTIALS, credentials)] {
        let (path, is_named) = match flag {
            Some(path) => (Some(path.to_owned()), true),
            None => file.path().map_err(|error| Error::Settings(error.to_string()))?,
        };
        let Some(path) = path else { continue };
        match file.read(&path) {
            Ok(text) => {
                files = match text {
                    Text::InFile => files.with_file(file.kind, path),
                    Text::Decoded(text) => files.with_contents(file.kind, text),
                };
                found = true;
                found_named |= is_named;
            }
            Err(Error::File { source, .. }) if flag.is_none() && is_missing(&source) => {}
            Err(error) if !is_named => left_out = left_out.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match left_out {
        Some(error) if found_named => log::warn!("an AWS configuration file is left out: {}", Chain(&error)),
        Some(error) => return Err(error),
        None => {}
    }
    // The SDK asks for one at least.
    Ok(if found { files } else { files.with_contents(EnvConfigFileKind::Config, "") }.build())
}

/// The text of a file.
enum Text {
    /// The SDK can read it there, and names the path in its messages.
    InFile,
    /// The SDK does not know the byte order mark, and a pipe is read once.
    Decoded(String),
}

/// Returns whether there is no such file; the home directory of a service may be `/dev/null`.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl File {
    fn read(&self, path: &Path) -> Result<Text, Error> {
        let unusable = |reason: &str| Error::File {
            what: self.what,
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, reason),
        };
        let content =
            file::read(self.what, path, MAX_FILE)?.ok_or_else(|| unusable("it is larger than 16 MiB"))?;
        let text =
            String::from_utf8(file::decode(content.clone())).map_err(|_| unusable("it is not UTF-8"))?;
        let is_decoded = text.as_bytes() != content;
        Ok(if path.is_file() && !is_decoded { Text::InFile } else { Text::Decoded(text) })
    }

    /// Where the file is, unless a flag names it, and whether the variable does; `None` where nobody knows the home
    /// directory.
    fn path(&self) -> Result<(Option<PathBuf>, bool), Cause> {
        let path = environment::variable(self.variable)?;
        let is_named = path.is_some();
        if std::env::var_os("HOME").is_some_and(|home| home.to_str().is_none()) && path.is_none() {
            return Err("HOME is not UTF-8".into());
        }
        let home = || home_dir(&Env::real(), Os::real()).map(PathBuf::from);
        let path = path.unwrap_or_else(|| self.usual.to_owned());
        let path = match path.strip_prefix("~/") {
            Some(below) => home().map(|home| home.join(below)),
            None => Some(PathBuf::from(path)),
        };
        Ok((path, is_named))
    }
}
