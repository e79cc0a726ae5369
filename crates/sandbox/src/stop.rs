//! What ends the sandbox: Ctrl-C, SIGTERM, the end of its terminal (SIGHUP), the end of standard input.

use std::io;

use anyhow::Context;
use tokio::sync::oneshot;

/// The ends to wait for.
pub(crate) struct Stop {
    stdin: Option<oneshot::Receiver<()>>,
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

impl Stop {
    /// Catches the signals from now on. Needs a runtime.
    pub(crate) fn new(until_stdin_closes: bool) -> anyhow::Result<Self> {
        #[cfg(unix)]
        let signals = {
            use tokio::signal::unix::{SignalKind, signal};
            let catch = |kind| signal(kind).context("cannot catch signals");
            [catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?, catch(SignalKind::hangup())?]
        };
        let stdin = if until_stdin_closes { Some(stdin_end()?) } else { None };
        Ok(Stop {
            stdin,
            #[cfg(unix)]
            signals,
        })
    }

    /// Waits for the first of them.
    pub(crate) async fn requested(mut self) {
        let stdin = async {
            match self.stdin.take() {
                // The sender is dropped when the thread ends, which is an end too.
                Some(end) => drop(end.await),
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        let signals = async {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        };
        #[cfg(not(unix))]
        let signals = async { drop(tokio::signal::ctrl_c().await) };
        tokio::select! {
            () = stdin => log::info!("standard input ended"),
            () = signals => log::info!("asked to stop"),
        }
    }
}

/// Reads standard input to its end on a thread of its own, which nobody waits for: the read cannot be cancelled.
fn stdin_end() -> anyhow::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    let read = move || {
        if let Err(error) = io::copy(&mut io::stdin().lock(), &mut io::sink()) {
            log::warn!("cannot read standard input: {error}");
        }
        // Nobody listens any more when a signal came first.
        let _ = ended.send(());
    };
    std::thread::Builder::new().name("stdin".to_owned()).spawn(read).context("cannot start a thread")?;
    Ok(end)
}
