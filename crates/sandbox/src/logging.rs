//! The log of the binary: on stderr, steps by default, as `RUST_LOG` says otherwise.

use env_logger::{Env, Logger};
use log::{LevelFilter, Log, Metadata, Record};

/// What logs each frame with its payload at trace; a CONNECT in it may hold a password or a token.
const WEBSOCKETS: &str = "tungstenite";

pub(crate) fn start() {
    let logger = env_logger::Builder::from_env(Env::default().default_filter_or("info")).build();
    let level = logger.filter();
    // It fails when there is a logger, which the binary has not.
    if log::set_boxed_logger(Box::new(WithoutFrames(logger))).is_ok() {
        log::set_max_level(level);
    }
}

/// Text from anywhere, clients and files included, without what ends the line, controls a terminal or reorders text.
pub(crate) fn one_line(text: &str) -> String {
    let deceives = |char: char| {
        char.is_control()
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        match deceives(char) {
            true => line.extend(char.escape_default()),
            false => line.push(char),
        }
    }
    line
}

/// Writes each record on one line, and keeps frames back. A filter of `env_logger`'s would give way to a directive for a module of the crate.
struct WithoutFrames(Logger);

impl Log for WithoutFrames {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_frame = metadata.level() > LevelFilter::Debug && metadata.target().starts_with(WEBSOCKETS);
        !is_frame && self.0.enabled(metadata)
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

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    #[test]
    fn no_directive_shows_frames() {
        let directives = "trace,tungstenite::protocol::frame=trace";
        let logger = WithoutFrames(env_logger::Builder::new().parse_filters(directives).build());
        let enabled =
            |target, level| logger.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(!enabled("tungstenite::protocol::frame", Level::Trace));
        assert!(enabled("tungstenite::protocol", Level::Debug));
        assert!(enabled("sandbox::gate", Level::Trace));
    }

    #[test]
    fn what_a_client_sends_cannot_forge_a_line() {
        assert_eq!(one_line("a\n[WARN] b\x1b[2J\u{9b}\u{202e}é"), "a\\n[WARN] b\\u{1b}[2J\\u{9b}\\u{202e}é");
    }
}
