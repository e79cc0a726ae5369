//! `cargo xtask run`: one sample, against a private sandbox or the broker that its flags name.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::{self, Progress};
use crate::hint;
use crate::launch::{self, Launch};
use crate::private_sandbox::PrivateSandbox;
use crate::setup::{self, Need};
use crate::token;
use crate::workspace::{Sample, Workspace};

/// The flags of `cargo xtask run`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The sample's folder or package
    sample: String,
    /// The sample's own flags; with --endpoint no sandbox is started
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub(crate) flags: Vec<String>,
}

/// Becomes the sample, so that signals and the exit code are its own.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let sample = workspace.sample(&args.sample)?;
    setup::ensure(workspace, Need::Build)?;
    if launch::names_endpoint(&args.flags) || launch::asks_for_help(&args.flags) {
        plainly(workspace, &sample, &args.flags)
    } else if let Some(reason) = &sample.manifest.by_hand {
        Err(hint::error(
            format!("the sample `{}` does not run against a sandbox by itself: it {reason}", sample.folder),
            format!("give --endpoint and the rest yourself, as samples/{}/README.md shows", sample.folder),
        ))
    } else {
        in_sandbox(workspace, &sample, &args.flags)
    }
}

fn plainly(workspace: &Workspace, sample: &Sample, flags: &[String]) -> Result<ExitCode> {
    let executables = cargo::build(workspace, &["-p", &sample.manifest.package], Progress::Shown)?;
    cargo::become_command(Command::new(executables.path(&sample.manifest.package)?).args(flags))
}

fn in_sandbox(workspace: &Workspace, sample: &Sample, flags: &[String]) -> Result<ExitCode> {
    if token::is_wanted_by(sample) {
        setup::ensure(workspace, Need::Token)?;
    }
    let executables =
        cargo::build(workspace, &["-p", "sandbox", "-p", &sample.manifest.package], Progress::Shown)?;
    let mut sandbox = PrivateSandbox::start(workspace, executables.path("sandbox")?)?;
    if token::is_wanted_by(sample) {
        token::make(sandbox.state_mut())?;
    }
    let launch = Launch::to_sandbox(sample, flags, sandbox.state())?;
    let mut command = Command::new(executables.path(&sample.manifest.package)?);
    launch.apply(&mut command);
    sandbox.outlast_exec()?;
    cargo::become_command(command.args(flags))
}
