//! `cargo xtask test`: the prerequisites, then every test.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};

use crate::cargo::{self, Progress};
use crate::setup::{self, Need};
use crate::workspace::Workspace;
use crate::{doctor, node, python};

/// The flags of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`, such as -p common endpoint
    #[arg(allow_hyphen_values = true, value_name = "ARGS")]
    cargo: Vec<OsString>,
    /// Passed on to the test binaries, such as --nocapture
    #[arg(last = true, value_name = "ARGS")]
    binaries: Vec<OsString>,
}

/// Runs the tests of the whole workspace, and ends with cargo's exit code.
///
/// The benchmark's, in a workspace of its own, are part of a run without any selection, or selected by `-p bench`.
pub(crate) fn test(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    setup::ensure(workspace, Need::Tests)?;
    if selects_bench(args) {
        return Ok(cargo::exit_code(cargo_test(workspace, &workspace.bench(), args)?));
    }
    if selects_all(args) {
        build_for_commands(workspace)?;
    }
    let mut status = cargo_test(workspace, workspace.root(), args)?;
    if status.success() && args.cargo.is_empty() {
        status = cargo_test(workspace, &workspace.bench(), args)?;
    }
    Ok(cargo::exit_code(status))
}

/// Runs `cargo test` in a folder.
fn cargo_test(workspace: &Workspace, folder: &Path, args: &Args) -> Result<ExitStatus> {
    let mut command = cargo::cargo(folder);
    command.args(["test", "--locked"]);
    command.args(cargo_words(args));
    command.env(python::VARIABLE, python::interpreter(workspace));
    command.env(node::VARIABLE, node::folder(workspace));
    command.status().context("cannot run cargo")
}

/// Builds the programs that tests run by `cargo xtask run`, `demo` and `doctor`. `cargo test --workspace` builds them with
/// more features, so that the first of these tests would build them anew.
fn build_for_commands(workspace: &Workspace) -> Result<()> {
    let samples = workspace.samples()?;
    let samples = samples.iter().filter(|sample| sample.by_hand.is_none());
    for sample in samples {
        cargo::build(workspace, &["-p", "sandbox", "-p", &sample.package], Progress::Shown)?;
    }
    cargo::build(workspace, &["-p", "sandbox", "-p", doctor::PACKAGE], Progress::Shown)?;
    Ok(())
}

/// Returns whether the benchmark's tests are asked for.
fn selects_bench(args: &Args) -> bool {
    let words: Vec<_> =
        args.cargo.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--").collect();
    words.windows(2).any(|pair| ["-p", "--package"].contains(&&*pair[0]) && pair[1] == "bench")
        || words.iter().any(|word| ["-pbench", "--package=bench"].contains(&&**word))
}

/// Returns whether the tests of all packages are asked for.
fn selects_all(args: &Args) -> bool {
    let mut flags = args.cargo.iter().take_while(|word| *word != "--");
    !flags.any(names_package)
}

/// The words behind `cargo test`.
fn cargo_words(args: &Args) -> Vec<&OsStr> {
    let mut words = Vec::new();
    // cargo would overlook a package beside --workspace.
    if selects_all(args) {
        words.push(OsStr::new("--workspace"));
    }
    words.extend(args.cargo.iter().map(OsString::as_os_str));
    // Behind a flag for cargo clap leaves the `--` where it is, among cargo's words.
    if !args.binaries.is_empty() {
        words.push(OsStr::new("--"));
    }
    words.extend(args.binaries.iter().map(OsString::as_os_str));
    words
}

/// Whether the argument selects a package: `-p common`, `-pcommon`, `--package=common`.
fn names_package(argument: &OsString) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with("-p") || argument == "--package" || argument.starts_with("--package=")
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;

    #[test]
    fn words_reach_cargo_and_the_test_binaries_as_with_cargo_test() {
        for (line, expected) in [
            ("test", "--workspace"),
            ("test endpoint", "--workspace endpoint"),
            ("test -p common endpoint", "-p common endpoint"),
            ("test endpoint -p common -- --exact", "endpoint -p common -- --exact"),
            ("test --lib -- -p", "--workspace --lib -- -p"),
            ("test -- --nocapture", "--workspace -- --nocapture"),
            ("test -p common --lib -- --exact a::b", "-p common --lib -- --exact a::b"),
        ] {
            let matches = Args::augment_args(Command::new("test")).get_matches_from(line.split(' '));
            let args = Args::from_arg_matches(&matches).unwrap();
            assert_eq!(cargo_words(&args).join(OsStr::new(" ")), expected, "{line}");
        }
    }

    #[test]
    fn selection_of_the_benchmark_is_recognised() {
        for (line, expected) in [
            ("-p bench", true),
            ("-pbench", true),
            ("--release --package bench peer", true),
            ("--package=bench", true),
            ("-p common bench", false),
            ("bench", false),
            ("--lib -- -p bench", false),
        ] {
            let args = Args { cargo: line.split(' ').map(OsString::from).collect(), binaries: Vec::new() };
            assert_eq!(selects_bench(&args), expected, "{line}");
        }
    }

    #[test]
    fn package_selection_is_recognised() {
        for argument in ["-p", "-pcommon", "--package", "--package=common"] {
            assert!(names_package(&argument.into()), "{argument}");
        }
        for argument in ["--release", "--profile", "common"] {
            assert!(!names_package(&argument.into()), "{argument}");
        }
    }
}
