//! A PKCS#11 token for the sandbox's device: SoftHSM2, which keeps tokens in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::hint;
use crate::private_sandbox::State;

/// Where packages put the library: Debian, Fedora, Homebrew, and from source.
const LIBRARIES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];

/// Of the token and of the key on it.
pub(crate) const LABEL: &str = "sandbox-device";
/// It guards nothing: the key is in a file of the sandbox's, too.
pub(crate) const PIN: &str = "sandbox-pin";

/// The folder, among the sandbox's files and removed with them.
const FOLDER: &str = "softhsm";

/// Whether the sample in this folder signs with a token.
pub(crate) fn is_wanted_by(folder: &str) -> bool {
    folder == "pkcs11_connect"
}

/// SoftHSM2's library.
pub(crate) fn library() -> Result<&'static str> {
    LIBRARIES.into_iter().find(|path| Path::new(path).is_file()).ok_or_else(|| {
        hint::error("SoftHSM2's library is not where packages put it", "`cargo xtask setup` installs it")
    })
}

/// SoftHSM2's configuration file for the token of this sandbox.
pub(crate) fn config(state: &State) -> Result<PathBuf> {
    let key = PathBuf::from(state.value("/device/key_file")?);
    let folder = key.parent().context("the device's key has no folder")?;
    Ok(folder.join(FOLDER).join("softhsm2.conf"))
}

/// Makes the token, with the key of the sandbox's device.
pub(crate) fn make(state: &State) -> Result<()> {
    let config = config(state)?;
    let folder = config.parent().context("the configuration has no folder")?;
    let tokens = folder.join("tokens");
    fs::create_dir_all(&tokens).with_context(|| format!("cannot make {}", tokens.display()))?;
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let key = state.value("/device/key_file")?;
    util(&config, &["--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN])?;
    util(&config, &["--import", &key, "--token", LABEL, "--label", LABEL, "--id", "01", "--pin", PIN])
}

fn util(config: &Path, flags: &[&str]) -> Result<()> {
    let mut command = Command::new("softhsm2-util");
    command.args(flags).env("SOFTHSM2_CONF", config).stdin(Stdio::null());
    let output = command.output().context("cannot run softhsm2-util")?;
    if output.status.success() {
        return Ok(());
    }
    Err(hint::error(
        format!(
            "softhsm2-util could not make a token: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ),
        "`cargo xtask setup` checks SoftHSM2",
    ))
}
