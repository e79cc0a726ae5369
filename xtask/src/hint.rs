//! Errors that say what to do next.

use std::fmt;

/// An error whose reader can be told the next step.
#[derive(Debug)]
struct Hinted {
    message: String,
    hint: String,
    exit_code: u8,
}

/// Something went wrong.
const FAILED: u8 = 1;
/// What was asked for makes no sense; the code that clap exits with, too.
const USAGE: u8 = 2;

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// An error with its message and the hint that `main` prints below it.
pub(crate) fn error(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { message: message.into(), hint: hint.into(), exit_code: FAILED })
}

/// The same for a mistake on the command line.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { message: message.into(), hint: hint.into(), exit_code: USAGE })
}

/// The same around an error that is its cause.
pub(crate) fn wrap(
    cause: anyhow::Error,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> anyhow::Error {
    cause.context(Hinted { message: message.into(), hint: hint.into(), exit_code: FAILED })
}

/// The hint of an error, wherever among its contexts it sits.
pub(crate) fn of(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Hinted>().map(|hinted| hinted.hint.as_str())
}

/// The code that the process should exit with for this error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Hinted>().map_or(FAILED, |hinted| hinted.exit_code)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn hint_is_found_below_a_context() {
        let error = Err::<(), _>(error("no cmake", "install it")).context("setup").unwrap_err();
        assert_eq!(of(&error), Some("install it"));
        assert_eq!(format!("{error:#}"), "setup: no cmake");
    }

    #[test]
    fn hint_is_found_above_its_cause() {
        let error =
            wrap(anyhow::anyhow!("exit status: 1"), "no packages", "is there a network?").context("setup");
        assert_eq!(of(&error), Some("is there a network?"));
        assert_eq!(format!("{error:#}"), "setup: no packages: exit status: 1");
    }

    #[test]
    fn a_plain_error_has_none() {
        assert_eq!(of(&anyhow::anyhow!("plain")), None);
    }

    #[test]
    fn usage_has_its_own_exit_code() {
        assert_eq!(exit_code(&usage("no such sample", "see --help").context("run")), 2);
        assert_eq!(exit_code(&error("no cmake", "install it")), 1);
        assert_eq!(exit_code(&anyhow::anyhow!("plain")), 1);
    }
}
