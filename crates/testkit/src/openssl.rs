use std::path::Path;
use std::process::Command;

use crate::Outcome;

/// Runs `openssl` in `folder` with the words of `line`: a foreign implementation of what the samples read.
///
/// # Panics
///
/// When it fails, or is not installed.
pub fn openssl(folder: &Path, line: &str) {
    Outcome::of(Command::new("openssl").args(line.split_whitespace()).current_dir(folder)).succeeded();
}
