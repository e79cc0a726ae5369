//! The project's own commands: `cargo xtask <task>`.
//!
//! This file parses and dispatches; each task has a file of its own. The crate stays small and quick to build,
//! because it is the first thing that runs on a fresh machine.

mod bench;
mod cargo;
mod demo;
mod doctor;
mod hint;
mod launch;
mod node;
mod policy;
mod print;
mod private_sandbox;
mod python;
mod run;
mod sandbox;
mod setup;
mod style;
mod test;
mod token;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli.task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            if let Some(hint) = hint::of(&error) {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(hint::exit_code(&error))
        }
    }
}

/// Builds, runs and tests the samples.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every sample, or one, against a local sandbox and shows what it did; needs no AWS account
    Demo(demo::Args),
    /// Runs one sample: against a private sandbox, or with --endpoint against the broker you name
    Run(run::Args),
    /// Checks, layer by layer, why a device can or cannot connect: a private sandbox's, or with --endpoint your own
    Doctor(doctor::Args),
    /// Runs the sandbox, a local AWS IoT Core, until Ctrl-C
    Sandbox(sandbox::Args),
    /// Prints a sample's least-privilege policy, filled in for your account
    Policy(policy::Args),
    /// Runs all tests
    Test(test::Args),
    /// Compares this client with the official Python and Node clients, rumqttc and bare paho
    Bench(bench::Args),
    /// Checks the prerequisites, and installs what is missing where it can
    Setup(setup::Args),
}

fn dispatch(task: Task) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Demo(args) => demo::demo(&workspace, &args),
        Task::Run(args) => run::run(&workspace, &args),
        Task::Doctor(args) => doctor::doctor(&workspace, &args),
        Task::Sandbox(args) => sandbox::sandbox(&workspace, &args),
        Task::Policy(args) => policy::policy(&workspace, &args),
        Task::Test(args) => test::test(&workspace, &args),
        Task::Bench(args) => bench::bench(&workspace, &args),
        Task::Setup(args) => setup::task(&workspace, &args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_the_doctor_pass_through() {
        for line in [["--endpoint", "e", "--json"].as_slice(), &["--help"]] {
            match Cli::try_parse_from(["cargo xtask", "doctor"].iter().chain(line)).map(|cli| cli.task) {
                Ok(Task::Doctor(args)) => assert_eq!(args.flags, line),
                _ => panic!("{line:?} did not parse as the doctor's"),
            }
        }
    }

    #[test]
    fn flags_of_a_sample_pass_through() {
        for line in [["--", "--count", "1"].as_slice(), ["--count", "1"].as_slice()] {
            let words = ["cargo xtask", "run", "pubsub"].iter().chain(line);
            match Cli::try_parse_from(words).map(|cli| cli.task) {
                Ok(Task::Run(args)) => assert_eq!(args.flags, ["--count", "1"]),
                _ => panic!("{line:?} did not parse as a run"),
            }
        }
    }
}
