//! The official Node client, as a foreign peer and for comparison.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo, hint};

/// Tells a test which folder has the client among its `node_modules`.
pub(crate) const VARIABLE: &str = "SANDBOX_PEER_NODE";

const MANIFEST: &str = "crates/testkit/node/package.json";

/// The folder below `target/` that the client is installed in.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.scratch("node")
}

/// Installs the pinned client when it is missing, or its manifest has changed since.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let manifest = workspace.root().join(MANIFEST);
    let wanted = fs::read_to_string(&manifest).with_context(|| format!("cannot read {MANIFEST}"))?;
    let folder = folder(workspace);
    // Written last: an installation that was interrupted starts again.
    let stamp = folder.join("installed-package.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }

    eprintln!("Installing the official Node client ({MANIFEST}) into target/node");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let copy = folder.join("package.json");
    fs::write(&copy, &wanted).with_context(|| format!("cannot write {}", copy.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]);
    cargo::succeed(npm.current_dir(&folder)).map_err(|cause| {
        let hint = "npm needs a network or a mirror; its own message is above";
        hint::wrap(cause, "cannot install the official Node client", hint)
    })?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
