//! The samples' flags, in groups to `#[command(flatten)]`.
//!
//! The names that the official SDKs' samples use work too, in kebab and snake case, as hidden aliases: a command
//! pasted from their documentation runs.

mod connection;
mod mutual_tls;
mod output;
mod sigv4;

pub use self::connection::ConnectionArgs;
pub use self::mutual_tls::MutualTlsArgs;
pub use self::output::{Output, OutputArgs, Verbosity};
pub use self::sigv4::{SigV4Args, SourceName};

use clap::error::ErrorKind;

/// Flags that do not fit together: `error.exit()` shows it and ends the process with code 2.
fn usage(message: impl std::fmt::Display) -> clap::Error {
    clap::Error::raw(
        ErrorKind::ArgumentConflict,
        format!("{message}\n\nFor more information, try '--help'.\n"),
    )
}
