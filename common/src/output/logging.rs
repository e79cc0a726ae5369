use std::env;
use std::io::{self, Write};
use std::panic;

use env_logger::{Builder, DEFAULT_FILTER_ENV, Env, Logger, Target};
use iot_transport::panics;
use iot_transport::text::one_line;
use log::{LevelFilter, Log, Metadata, Record};

/// The most that crates below may log: past it they log what they send, and CONNECT may hold a password or a token.
/// An application with a logger of its own has to do the same.
const CAPS: [(&str, LevelFilter); 3] = [
    // Requests with a token, and errors that hold them, at each level; only where an application makes `tracing` write to
    // `log` does the AWS SDK log at all.
    ("aws_", LevelFilter::Off),
    // Frames with their payload, at trace.
    ("tungstenite", LevelFilter::Debug),
    // Connect options with user name and password, at debug. `paho_mqtt_c` is the C library's own trace.
    ("paho_mqtt", LevelFilter::Info),
];

/// Shows a panic on one line and escaped, as everything else; with `RUST_BACKTRACE` as the standard library does.
fn install_panic_hook() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            return default(panic);
        }
        let message = panics::message(panic.payload());
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        // There is no other place to report it.
        let _ = writeln!(io::stderr(), "panicked{place}: {message}");
    }));
}

/// Starts logging to stderr: warnings by default, this project's steps with `verbose`. `RUST_LOG` overrides both
/// (<https://docs.rs/env_logger>), except that nothing makes secrets show.
pub(crate) fn start(filter: &str) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(filter));
    // An empty variable is one that is not set, and silences no flag.
    if env::var_os(DEFAULT_FILTER_ENV).is_some_and(|own| own.is_empty()) {
        builder.parse_filters(filter);
    }
    let logger = builder.target(Target::Stderr).format_target(true).build();
    let level = logger.filter();
    install_panic_hook();
    // A second start, in a test, keeps the first logger.
    if log::set_boxed_logger(Box::new(Capped(logger))).is_ok() {
        log::set_max_level(level);
    }
}

/// A logger that is not told what [`CAPS`] keeps back, and writes each record on one line. A filter of `env_logger`'s
/// would give way to a directive of `RUST_LOG` that names a module below the crate.
struct Capped(Logger);

impl Log for Capped {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= cap(metadata.target()) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = one_line(&record.args().to_string());
            let metadata = record.metadata().clone();
            self.0.log(&Record::builder().metadata(metadata).args(format_args!("{message}")).build());
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

fn cap(target: &str) -> LevelFilter {
    let capped = CAPS.into_iter().find(|(prefix, _)| target.starts_with(prefix));
    capped.map_or(LevelFilter::Trace, |(_, cap)| cap)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use log::Level;

    use super::*;

    #[test]
    fn no_directive_lifts_a_cap() {
        let directives = "trace,tungstenite::protocol=trace,paho_mqtt::async_client=trace,aws_config=trace";
        let logger = Capped(Builder::new().parse_filters(directives).build());
        let enabled =
            |target, level| logger.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(!enabled("tungstenite::protocol", Level::Trace));
        assert!(enabled("tungstenite::protocol", Level::Debug));
        for target in ["paho_mqtt", "paho_mqtt::async_client", "paho_mqtt_c"] {
            assert!(!enabled(target, Level::Debug), "{target}");
            assert!(enabled(target, Level::Info), "{target}");
        }
        assert!(!enabled("aws_smithy_runtime::client::orchestrator", Level::Error));
        assert!(enabled("iot_transport::tcp", Level::Trace));
    }

    #[test]
    fn a_record_is_one_line_without_escape_sequences() {
        let (mut written, writer) = io::pipe().unwrap();
        let mut builder = Builder::new();
        builder.filter_level(LevelFilter::Trace).target(Target::Pipe(Box::new(writer)));
        let logger = Capped(builder.build());
        let message = format_args!("no\n[WARN] forged\x1b[2J\u{9b}m\u{202e}");
        logger.log(&Record::builder().level(Level::Warn).target("a_target").args(message).build());
        drop((logger, builder));
        let mut shown = String::new();
        written.read_to_string(&mut shown).unwrap();
        assert!(shown.contains("WARN  a_target"), "{shown:?}");
        assert!(shown.ends_with("no\\n[WARN] forged\\u{1b}[2J\\u{9b}m\\u{202e}\n"), "{shown:?}");
        assert_eq!(shown.lines().count(), 1);
    }
}
