//! `cargo xtask test`: the prerequisites, then every test.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::setup::{self, Need};
use crate::workspace::Workspace;
use crate::{cargo, python};

/// The flags of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// Runs the tests of the whole workspace, and ends with cargo's exit code.
pub(crate) fn test(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    setup::ensure(workspace, Need::Tests)?;
    let mut command = cargo::cargo(workspace);
    command.args(["test", "--locked"]);
    // cargo would overlook a package beside --workspace.
    if !args.args.iter().any(names_package) {
        command.arg("--workspace");
    }
    command.args(&args.args);
    command.env(python::VARIABLE, python::interpreter(workspace));
    command.env("PATH", with_server_folders(&env::var_os("PATH").unwrap_or_default())?);
    let status = command.status().context("cannot run cargo")?;
    Ok(cargo::exit_code(status))
}

/// Whether the argument selects a package: `-p common`, `-pcommon`, `--package=common`.
fn names_package(argument: &OsString) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with("-p") || argument == "--package" || argument.starts_with("--package=")
}

/// `PATH` and the folders of servers: Debian has no `sbin` on a user's path, and Homebrew keeps its own.
fn with_server_folders(path: &OsStr) -> Result<OsString> {
    let mut folders: Vec<PathBuf> = env::split_paths(path).collect();
    for folder in setup::SERVER_FOLDERS.iter().map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    env::join_paths(folders).context("cannot extend PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_selection_is_recognised() {
        for argument in ["-p", "-pcommon", "--package", "--package=common"] {
            assert!(names_package(&argument.into()), "{argument}");
        }
        for argument in ["--release", "--profile", "common"] {
            assert!(!names_package(&argument.into()), "{argument}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn server_folders_come_last_and_once() {
        let path = with_server_folders(OsStr::new("/usr/bin:/usr/sbin")).unwrap();
        let path = path.to_str().unwrap();
        assert!(path.starts_with("/usr/bin:/usr/sbin:"), "{path}");
        assert_eq!(path.matches("/usr/sbin").count(), 1);
    }
}
