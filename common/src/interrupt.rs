use std::future::Future;
use std::io;

use tokio::{runtime, signal};

use crate::error::Error;

/// Runs `work` until it ends or the user asks the process to end (Ctrl-C, SIGTERM), whichever comes first.
///
/// # Errors
///
/// `work`'s own, or [`Error::Interrupted`].
pub async fn until_interrupted<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::select! {
        outcome = work => outcome,
        signal = interrupted() => {
            if let Err(error) = signal {
                log::warn!("cannot wait for signals: {error}");
            }
            Err(Error::Interrupted.into())
        }
    }
}

/// From now on Ctrl-C is something to wait for, and ends this process no more by itself.
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
