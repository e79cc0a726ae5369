//! `cargo xtask doctor`: why a device can, or cannot, use AWS IoT Core.
//!
//! Each layer of the connection is tried by itself, from the name of the endpoint to a message that comes back. Each
//! result says what it means and what to change. What does not depend on a failed check is checked all the same.
//!
//! - `args`: the flags, for every way to authenticate, as the samples have them
//! - `examination`: which checks there are, in which order, and which needs which
//! - `case`: the connection that is examined
//! - `checks`: one file for each
//! - `report`: how a result is written
//!
//! The connection is the one that [`common`] makes for the samples: nothing of TLS or MQTT is done anew here.

mod args;
mod case;
mod check;
mod checks;
mod examination;
mod method;
mod report;

use std::env;
use std::process::ExitCode;

use common::until_interrupted;

use crate::report::Verdict;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let request = args::parse(env::args_os().collect());
    match until_interrupted(examination::examine(request)).await {
        Ok(Verdict::Healthy) => ExitCode::SUCCESS,
        Ok(Verdict::Ill) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("Error: {failure:?}");
            ExitCode::FAILURE
        }
    }
}
