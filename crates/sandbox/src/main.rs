//! Runs a local AWS IoT Core until Ctrl-C. See the library of the same name.

mod commands;
mod logging;
mod stop;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use sandbox::{ListenError, Sandbox, shortage_hint};

use crate::stop::Stop;

/// A local AWS IoT Core, to try the samples without an AWS account. It listens on 127.0.0.1 only.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to write sandbox.json, the certificates and the credentials; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "target/sandbox")]
    state_dir: PathBuf,
    /// The port for MQTT with a client certificate; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 8883)]
    mqtt_port: u16,
    /// The port for WebSockets, and by ALPN for client certificates and custom authorizers; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 8443)]
    https_port: u16,
    /// The directory whose *.json are the policies of everyone who connects [default: policies of the workspace]
    #[arg(long, value_name = "DIR")]
    policies_dir: Option<PathBuf>,
    /// Stop when standard input ends, so that the sandbox does not outlive the program that started it.
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    logging::start();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", logging::one_line(&format!("{error:#}")));
            if let Some(hint) = shortage_hint(&*error) {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    // Caught from now on: whoever takes the sandbox for ready may end it.
    let stop = runtime.block_on(async { Stop::new(arguments.until_stdin_closes) })?;

    let sandbox = start(arguments)?;
    let served = sandbox.write_contract().and_then(|contract| {
        let table = commands::table(&sandbox, &contract)?;
        // Unlike print!, a closed pipe is an error and no panic.
        io::stdout().write_all(table.as_bytes()).context("cannot write to standard output")?;
        runtime.block_on(stop.requested());
        Ok(())
    });
    let removed = sandbox.remove_contract();
    served.and(removed)
}

fn start(arguments: &Arguments) -> anyhow::Result<Sandbox> {
    let mut builder = Sandbox::builder()
        .mqtt_port(arguments.mqtt_port)
        .https_port(arguments.https_port)
        .state_dir(&arguments.state_dir);
    if let Some(directory) = &arguments.policies_dir {
        builder = builder.policies_dir(directory);
    }
    builder.start().map_err(|error| {
        let listening = error.downcast_ref::<ListenError>().filter(|error| shortage_hint(*error).is_none());
        let Some(port) = listening.map(|error| error.port) else { return error };
        let flag = if port == arguments.mqtt_port { "--mqtt-port" } else { "--https-port" };
        error.context(format!("port {port} is not to be had; choose another with {flag}"))
    })
}
