//! A PKCS#11 token for the sandbox's device: SoftHSM2, which keeps tokens in files.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::json;

use crate::hint;
use crate::private_sandbox::State;
use crate::workspace::Sample;

/// Where packages put the library: Debian, Fedora, Homebrew, and from source.
const LIBRARIES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];

/// Of the token and of the key on it.
const LABEL: &str = "sandbox-device";
/// It guards nothing: the key is in a file of the sandbox's, too.
const PIN: &str = "sandbox-pin";

/// The folder, among the sandbox's files and removed with them.
const FOLDER: &str = "softhsm";

/// The object of these values, beside those of `sandbox.json`.
const OBJECT: &str = "token";

/// Whether the sample signs with a token.
pub(crate) fn is_wanted_by(sample: &Sample) -> bool {
    sample.manifest.refers_to(OBJECT)
}

/// SoftHSM2's library.
pub(crate) fn library() -> Result<&'static str> {
    LIBRARIES.into_iter().find(|path| Path::new(path).is_file()).ok_or_else(|| {
        hint::error("SoftHSM2's library is not where packages put it", "`cargo xtask setup` installs it")
    })
}

/// Makes the token, with the key of the sandbox's device, and adds to the values what a sample needs to know of it.
pub(crate) fn make(state: &mut State) -> Result<()> {
    let key = state.value("/device/key_file")?;
    let folder = Path::new(&key).parent().context("the device's key has no folder")?.join(FOLDER);
    let config = folder.join("softhsm2.conf");
    let tokens = folder.join("tokens");
    fs::create_dir_all(&tokens).with_context(|| format!("cannot make {}", tokens.display()))?;
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    util(&config, &["--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN])?;
    util(&config, &["--import", &key, "--token", LABEL, "--label", LABEL, "--id", "01", "--pin", PIN])?;
    state.insert(OBJECT, json!({ "library": library()?, "label": LABEL, "pin": PIN, "config": config }));
    Ok(())
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
