//! `cargo xtask doctor`: why a device can, or cannot, use AWS IoT Core.
//!
//! The doctor is a program of its own (`crates/doctor/`): it examines the connection that `common` makes, and this crate does
//! not link it.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::{self, Progress};
use crate::hint;
use crate::launch::{self, Launch};
use crate::private_sandbox::PrivateSandbox;
use crate::setup::{self, Need};
use crate::token;
use crate::workspace::Workspace;

pub(crate) const PACKAGE: &str = "doctor";

/// The flags of `cargo xtask doctor`.
#[derive(clap::Args)]
// The doctor's own says more.
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// The doctor's flags, `--help` among them; without --endpoint a private sandbox is examined
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub(crate) flags: Vec<String>,
}

/// Becomes the doctor, so that signals and the exit code are its own.
pub(crate) fn doctor(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    setup::ensure(workspace, Need::Build)?;
    if launch::names_endpoint(&args.flags) || launch::asks_for_help(&args.flags) {
        let executables = cargo::build(workspace, &["-p", PACKAGE], Progress::Shown)?;
        return cargo::become_command(Command::new(executables.path(PACKAGE)?).args(&args.flags));
    }
    in_sandbox(workspace, &args.flags)
}

fn in_sandbox(workspace: &Workspace, flags: &[String]) -> Result<ExitCode> {
    let sample = workspace.sample(sample_like(flags)?)?;
    if token::is_wanted_by(&sample) {
        setup::ensure(workspace, Need::Token)?;
    }
    let executables = cargo::build(workspace, &["-p", "sandbox", "-p", PACKAGE], Progress::Shown)?;
    let mut sandbox = PrivateSandbox::start(workspace, executables.path("sandbox")?)?;
    if token::is_wanted_by(&sample) {
        token::make(sandbox.state_mut())?;
    }
    // In the sandbox port 443 is another one.
    let own_https_port = ("--https-port", sandbox.state().value("/https_port")?);
    // AWS is not asked whose the sandbox's credentials are, whatever the user's profile says of endpoints.
    let own_sts = ("AWS_ENDPOINT_URL_STS", sandbox.state().value("/sts/endpoint")?);
    let heeded = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false".to_owned());
    let launch = Launch::to_sandbox(&sample, flags, sandbox.state())?;
    let launch = launch.with(own_https_port, flags).with_variable(own_sts).with_variable(heeded);
    let mut command = Command::new(executables.path(PACKAGE)?);
    launch.apply(&mut command);
    sandbox.outlast_exec()?;
    cargo::become_command(command.args(flags))
}

/// The sample that connects to the sandbox as `--auth` asks for; without it, by mutual TLS.
fn sample_like(flags: &[String]) -> Result<&'static str> {
    let value = flags.iter().find_map(|flag| flag.strip_prefix("--auth="));
    let after = flags.iter().skip_while(|flag| *flag != "--auth").nth(1);
    match value.or(after.map(String::as_str)) {
        None | Some("mtls") => Ok("pubsub"),
        Some("pkcs12") => Ok("pkcs12_connect"),
        Some("pkcs11") => Ok("pkcs11_connect"),
        Some("sigv4") => Ok("sigv4_connect"),
        Some("custom") => Ok("custom_auth_connect"),
        Some(other) => Err(hint::usage(
            format!("`--auth {other}` does not examine a sandbox"),
            "mtls, pkcs12, pkcs11, sigv4 and custom do; with --endpoint every method can be examined",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_is_examined_by_the_method_that_is_asked_for() {
        let like = |words: &[&str]| {
            sample_like(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(like(&["--json"]), Ok("pubsub"));
        assert_eq!(like(&["--auth", "sigv4"]), Ok("sigv4_connect"));
        assert_eq!(like(&["--auth=custom", "--json"]), Ok("custom_auth_connect"));
        assert!(like(&["--auth", "windows"]).unwrap_err().contains("windows"));
    }
}
