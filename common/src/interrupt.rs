use std::future::Future;
use std::io;

use tokio::signal;

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
