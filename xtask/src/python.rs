//! The Python environment of the foreign peers: the official client and another signer.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo, hint};

/// Tells a test which interpreter has the peers' packages.
pub(crate) const VARIABLE: &str = "SANDBOX_PEER_PYTHON";

const REQUIREMENTS: &str = "crates/testkit/python/requirements.txt";

/// The interpreter of the environment under `target/python`.
pub(crate) fn interpreter(workspace: &Workspace) -> PathBuf {
    let folder = workspace.scratch("python");
    if cfg!(windows) { folder.join("Scripts").join("python.exe") } else { folder.join("bin").join("python") }
}

/// Makes the environment when it is missing, or its requirements have changed since.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.root().join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements).with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let folder = workspace.scratch("python");
    // Written last: an installation that was interrupted starts again.
    let stamp = folder.join("installed-requirements.txt");
    if interpreter(workspace).is_file()
        && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
    {
        return Ok(());
    }

    eprintln!("Installing the Python peers ({REQUIREMENTS}) into target/python");
    let failed = |cause| {
        hint::wrap(
            cause,
            "cannot install the Python peers",
            "pip needs a network or a mirror (PIP_INDEX_URL, HTTPS_PROXY); its own message is above",
        )
    };
    cargo::succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).map_err(failed)?;
    cargo::succeed(
        Command::new(interpreter(workspace))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
                "--requirement",
            ])
            .arg(&requirements),
    )
    .map_err(failed)?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
