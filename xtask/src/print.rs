//! Writes to the standard output. Unlike `println!`, a closed pipe is an error and no panic.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Context, Result};

/// Writes one line, or several.
pub(crate) fn line(text: impl Display) -> Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write to the standard output")
}
