use std::env;
use std::ffi::OsStr;
use std::fmt;

use clap::Parser;
use clap::error::ErrorKind;
use iot_client::MqttVersion;
use iot_transport as transport;
use iot_transport::text::one_line;

use super::flag_names::name_flags;
use crate::error::Error;

/// Why flags could not be turned into settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArgsError {
    /// The flags do not fit together, or one is missing.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The flags are fine, but what they name cannot be used: a file, a key.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<transport::Error> for ArgsError {
    fn from(error: transport::Error) -> Self {
        ArgsError::Failed(error.into())
    }
}

impl ArgsError {
    /// Shows wrong usage and ends the process with code 2; hands back any other failure.
    pub fn exit_on_usage(self) -> Error {
        match self {
            ArgsError::Usage(usage) => usage.exit(),
            ArgsError::Failed(error) => error,
        }
    }
}

/// Reads the command line. Wrong usage, `--help` and `--version` end the process, as with [`Parser::parse`]; an error shows
/// the words of the command line escaped. From here on errors name [flags](name_flags).
#[must_use]
pub fn parse<P: Parser>() -> P {
    name_flags();
    P::try_parse().unwrap_or_else(|error| {
        let words: Vec<_> = env::args_os().collect();
        P::try_parse_from(escaped(&words)).err().unwrap_or(error).exit()
    })
}

/// Words of a command line that are safe to be quoted in an error.
pub fn escaped(words: &[impl AsRef<OsStr>]) -> Vec<String> {
    words.iter().map(|word| one_line(&word.as_ref().to_string_lossy())).collect()
}

/// Flags that do not fit together: `error.exit()` shows it and ends the process with code 2.
pub(super) fn usage(message: impl fmt::Display) -> clap::Error {
    usage_error(ErrorKind::ArgumentConflict, message)
}

/// As [`usage`], of another kind.
pub(super) fn usage_error(kind: ErrorKind, message: impl fmt::Display) -> clap::Error {
    let message = one_line(&message.to_string());
    clap::Error::raw(kind, format!("{message}\n\nFor more information, try '--help'.\n"))
}

/// The first of `flags` that was given.
pub(super) fn first_given(flags: &[(&'static str, bool)]) -> Option<&'static str> {
    flags.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
}

/// Refuses the first of `flags` that was given, if the version is 3.1.1, which has no properties.
pub(super) fn refuse_on_v311(
    version: MqttVersion,
    flags: &[(&'static str, bool)],
) -> Result<(), clap::Error> {
    match first_given(flags) {
        Some(flag) if version == MqttVersion::V311 => {
            Err(usage(format!("{flag} needs MQTT 5, and --mqtt-version is 3.1.1")))
        }
        _ => Ok(()),
    }
}
