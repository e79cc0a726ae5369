use std::future::{Future, pending};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal;

use crate::error::Error;
use crate::failure::Failure;

/// Runs `work` until it ends or the user asks the process to end (Ctrl-C, SIGTERM), whichever comes first.
///
/// An interruption asks for an orderly end: the caller still disconnects, with [`until_interrupted_twice`] where that
/// may take long.
///
/// # Errors
///
/// `work`'s own, or [`Error::Interrupted`].
pub async fn until_interrupted<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    tokio::select! {
        outcome = work => outcome.map_err(Into::into),
        _ = interruption() => Err(Error::Interrupted.into()),
    }
}

/// Runs the orderly end of a program. The first Ctrl-C or SIGTERM since the program's start has asked for this end, or
/// does so while it is under way, and changes nothing; the second cuts it short.
///
/// # Errors
///
/// `work`'s own, or [`Error::Interrupted`].
pub async fn until_interrupted_twice<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    tokio::select! {
        outcome = work => outcome.map_err(Into::into),
        () = async { while interruption().await < 2 {} } => Err(Error::Interrupted.into()),
    }
}

/// Waits for the next interruption; how many there have been since the start of the process.
async fn interruption() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    if let Err(error) = interrupted().await {
        // A signal then still does what it does by default: it ends the process.
        log::warn!("cannot handle Ctrl-C: {error}");
        pending::<()>().await;
    }
    COUNT.fetch_add(1, Ordering::Relaxed) + 1
}

#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        signal = signal::ctrl_c() => signal,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    signal::ctrl_c().await
}
