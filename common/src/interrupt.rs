use std::future::{Future, pending};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{runtime, signal};

use crate::error::Error;

/// Runs `work` until it ends or the user asks the process to end (Ctrl-C, SIGTERM), whichever comes first.
///
/// An interruption asks for an orderly end: the caller still disconnects, with [`until_interrupted_twice`] where that
/// may take long.
///
/// # Errors
///
/// `work`'s own, or [`Error::Interrupted`].
pub async fn until_interrupted<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::select! {
        outcome = work => outcome,
        _ = interruption() => Err(Error::Interrupted.into()),
    }
}

/// Runs the orderly end of a program. The first Ctrl-C or SIGTERM since the program's start has asked for this end, or
/// does so while it is under way, and changes nothing; the second cuts it short.
///
/// # Errors
///
/// `work`'s own, or [`Error::Interrupted`].
pub async fn until_interrupted_twice<T, E: From<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::select! {
        outcome = work => outcome,
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

/// Installs a Ctrl-C handler; the default action (terminate) no longer applies.
///
/// # Errors
///
/// The operating system's.
pub(crate) fn outlive() -> io::Result<()> {
    // The handler is the whole process's and stays; the runtime is there to install it, wherever this is called from.
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let installed = {
        let _context = runtime.enter();
        handle_interrupts()
    };
    // Any other end of a runtime may block, and so panics inside another one.
    runtime.shutdown_background();
    installed
}

#[cfg(unix)]
fn handle_interrupts() -> io::Result<()> {
    signal::unix::signal(signal::unix::SignalKind::interrupt()).map(drop)
}

#[cfg(windows)]
fn handle_interrupts() -> io::Result<()> {
    signal::windows::ctrl_c().map(drop)
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
