//! Calls cargo, as the one that runs this task.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::{env, io};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::hint;
use crate::workspace::Workspace;

/// How much of a build the user sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// As cargo shows it.
    Shown,
    /// Only when the build fails.
    OnFailure,
}

/// The executables that a build made, by name.
pub(crate) struct Executables(BTreeMap<String, PathBuf>);

impl Executables {
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        let path = self.0.get(name).map(PathBuf::as_path);
        path.with_context(|| format!("the build made no executable named `{name}`"))
    }
}

/// A `cargo` command in a folder, which decides on cargo's workspace and configuration.
///
/// `cargo run` describes the xtask package in the environment; handing that on would make build scripts that watch
/// such variables run again.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(folder);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|p| text.starts_with(p))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Builds and says where the executables are; `selection` is what to build, such as `["-p", "sandbox"]`.
pub(crate) fn build(workspace: &Workspace, selection: &[&str], progress: Progress) -> Result<Executables> {
    build_in(workspace.root(), selection, progress)
}

/// Builds in a folder, as [`build`] does in the root.
pub(crate) fn build_in(folder: &Path, selection: &[&str], progress: Progress) -> Result<Executables> {
    let mut command = cargo(folder);
    command.args(["build", "--locked", "--message-format=json-render-diagnostics"]).args(selection);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(if progress == Progress::Shown { Stdio::inherit() } else { Stdio::piped() });
    let output = command.spawn().and_then(|child| child.wait_with_output()).context("cannot run cargo")?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(hint::error(
            format!("`cargo build {}` failed", selection.join(" ")),
            "the compiler's message is above; `cargo xtask setup` checks the C compiler and cmake",
        ));
    }
    Ok(Executables(executables(&String::from_utf8_lossy(&output.stdout))))
}

/// Reads the executables from cargo's JSON messages.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let named = messages.filter_map(|message| {
        let path = message["executable"].as_str()?;
        let name = message["target"]["name"].as_str()?;
        Some((name.to_owned(), PathBuf::from(path)))
    });
    named.collect()
}

/// Runs a command to its end, and fails unless it succeeds.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}

/// Becomes the command, so that Ctrl-C and the exit code are its own; returns only if it could not be started, or
/// where a process cannot be replaced, with its exit code.
pub(crate) fn become_command(command: &mut Command) -> Result<ExitCode> {
    let name = command.get_program().to_string_lossy().into_owned();
    replace(command).with_context(|| format!("cannot run {name}"))
}

#[cfg(unix)]
fn replace(command: &mut Command) -> io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> io::Result<ExitCode> {
    Ok(exit_code(command.status()?))
}

/// A child's exit code as ours; a child that a signal ended counts as failed.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executables_are_taken_from_the_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"common"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"sandbox"},"executable":"/t/debug/sandbox"}"#,
            "\nnot json\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = executables(messages);
        assert_eq!(found.len(), 1);
        assert_eq!(found["sandbox"], Path::new("/t/debug/sandbox"));
    }
}
