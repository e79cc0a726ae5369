//! `cargo xtask sandbox`: the local AWS IoT Core, in the foreground.

use std::path::{self, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo::{self, Progress};
use crate::setup::{self, Need};
use crate::workspace::Workspace;

/// The flags of `cargo xtask sandbox`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to write sandbox.json, the CA and the device's files [default: target/sandbox]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The port for mutual TLS; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8883)]
    mqtt_port: u16,
    /// The port for ALPN, WebSockets and the HTTP endpoints; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8443)]
    https_port: u16,
}

/// Builds the sandbox and becomes it.
pub(crate) fn sandbox(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    setup::ensure(workspace, Need::Build)?;
    let state_dir = match &args.state_dir {
        Some(dir) => path::absolute(dir).with_context(|| format!("cannot resolve {}", dir.display()))?,
        None => workspace.scratch("sandbox"),
    };
    let executables = cargo::build(workspace, &["-p", "sandbox"], Progress::Shown)?;
    let mut command = Command::new(executables.path("sandbox")?);
    command.arg("--state-dir").arg(state_dir);
    command.arg("--policies-dir").arg(workspace.policies());
    command.arg("--mqtt-port").arg(args.mqtt_port.to_string());
    command.arg("--https-port").arg(args.https_port.to_string());
    cargo::become_command(&mut command)
}
