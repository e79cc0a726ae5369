use std::io::Write;

use clap::{Args, ValueEnum};

use crate::output::{Output, logging};

/// What goes to stdout, and how much is logged on stderr.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Print events as JSON, one object a line.
    #[arg(long)]
    pub json: bool,

    /// Draw the steps of each connection attempt at the end, with their times; with --json, as data.
    #[arg(long)]
    pub timeline: bool,

    /// Log each step of the connection on stderr; RUST_LOG gives finer control.
    #[arg(long, short)]
    pub verbose: bool,

    /// The official samples' flag for the log level.
    #[arg(long, hide = true, ignore_case = true, conflicts_with = "verbose")]
    pub verbosity: Option<Verbosity>,
}

/// The log levels of the official samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Verbosity {
    #[value(alias = "NoLogs")]
    None,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl OutputArgs {
    /// Starts logging to stderr as the flags, or `RUST_LOG`, ask for.
    pub fn start_logging(&self) {
        logging::start(match (self.verbosity, self.verbose) {
            (_, true) => "warn,common=debug,iot_client=debug,iot_transport=debug,paho_mqtt=error",
            (None | Some(Verbosity::Warn), _) => "warn,paho_mqtt=error",
            (Some(Verbosity::None), _) => "off",
            (Some(Verbosity::Fatal | Verbosity::Error), _) => "error",
            (Some(Verbosity::Info), _) => "info,paho_mqtt=error",
            (Some(Verbosity::Debug), _) => "debug",
            (Some(Verbosity::Trace), _) => "trace",
        });
    }

    /// Where a sample reports what it did.
    pub fn to<W: Write>(&self, writer: W) -> Output<W> {
        let output = Output::new(writer);
        let output = if self.json { output.in_json() } else { output };
        if self.timeline { output.with_timeline() } else { output }
    }
}
