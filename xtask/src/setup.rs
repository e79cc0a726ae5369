//! `cargo xtask setup`: checks the prerequisites and installs what is missing.
//!
//! Installing is done only where it needs no question: by apt, as root or with a `sudo` that asks for no password.
//! Anywhere else the exact command is printed.

mod packages;
mod tools;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{hint, node, print, python};

pub(crate) use self::tools::Need;
use self::tools::{TOOLS, Tool};

/// The flags of `cargo xtask setup`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also what the tests need
    #[arg(long)]
    tests: bool,
}

/// The task: ensures, and says what there is.
pub(crate) fn task(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let need = if args.tests { Need::Tests } else { Need::Token };
    ensure(workspace, need)?;
    let names: Vec<_> = TOOLS.iter().filter(|tool| tool.need <= need).map(|tool| tool.name).collect();
    print::line(format!("Ready: {}", names.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns once everything that is needed is there; says nothing when it already is.
pub(crate) fn ensure(workspace: &Workspace, need: Need) -> Result<()> {
    let missing = missing(need);
    if !missing.is_empty() {
        for tool in &missing {
            eprintln!("Missing: {}, which {}", tool.name, tool.reason);
        }
        packages::install(&missing)?;
        let still: Vec<_> = self::missing(need).iter().map(|tool| tool.name).collect();
        if !still.is_empty() {
            return Err(hint::error(
                format!("installed, but still not usable: {}", still.join(", ")),
                "see whether another version earlier on PATH hides the one that was installed",
            ));
        }
    }
    if need >= Need::Tests {
        python::ensure(workspace)?;
        node::ensure(workspace)?;
    }
    Ok(())
}

fn missing(need: Need) -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| tool.need <= need && !(tool.works)()).collect()
}
