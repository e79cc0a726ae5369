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

/// Keeps frames back. A filter of `env_logger`'s would give way to a directive for a module of the crate.
struct WithoutFrames(Logger);

impl Log for WithoutFrames {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_frame = metadata.level() > LevelFilter::Debug && metadata.target().starts_with(WEBSOCKETS);
        !is_frame && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
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
}
