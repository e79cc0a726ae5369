use env_logger::{Env, Target};

/// Starts logging to stderr: warnings by default, this project's steps with `verbose`. `RUST_LOG` overrides both
/// (<https://docs.rs/env_logger>).
pub(crate) fn start(filter: &str) {
    let env = Env::default().default_filter_or(filter);
    // A second start, in a test, keeps the first logger.
    let _ = env_logger::Builder::from_env(env).target(Target::Stderr).format_target(true).try_init();
}
