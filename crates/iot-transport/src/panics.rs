//! Panics as errors, and blocking work on threads of its own.

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::text::one_line;

/// The message of a panic.
pub fn message(panic: &(dyn Any + Send)) -> String {
    let fixed = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    let text = fixed.or_else(|| panic.downcast_ref().cloned());
    text.map_or_else(|| "no words".to_owned(), |text| one_line(&text))
}

/// The error of a panic, with what has panicked.
pub fn error(part: &'static str, panic: &(dyn Any + Send)) -> Error {
    Error::Panicked { part, panic: message(panic) }
}

/// Runs something that blocks and cannot be stopped on a new thread called `name`. tokio's own pool for that is waited for
/// when the runtime ends: with a resolver or a key that does not answer, neither a deadline nor Ctrl-C would end the
/// process.
///
/// # Errors
/// `failed` of the operating system's refusal to start a thread, [`Error::Panicked`] when `work` panics.
pub async fn on_own_thread<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce(Caller) -> T + Send + 'static,
    failed: impl Fn(io::Error) -> Error,
) -> Result<T, Error> {
    let (sender, receiver) = oneshot::channel();
    let (_waiting, gone) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(Caller(gone))));
            // The caller may have stopped waiting.
            let _ = sender.send(outcome);
        })
        .map_err(&failed)?;
    match receiver.await {
        Ok(outcome) => outcome.map_err(|panic| error(name, &*panic)),
        Err(_) => Err(failed(io::Error::other("the thread has ended"))),
    }
}

/// The caller of [`on_own_thread`], as its work sees it.
pub struct Caller(oneshot::Receiver<Infallible>);

impl Caller {
    /// Resolves when the caller has stopped waiting.
    pub async fn gone(self) {
        let _ = self.0.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: io::Error) -> Error {
        Error::Tcp { target: String::new(), source: error }
    }

    #[tokio::test]
    async fn a_panic_on_a_thread_is_an_error_that_names_both() {
        let panics: [(fn(), &str); 3] = [
            (|| panic!("fixed"), "fixed"),
            (|| panic!("{}\n\x1b", 5), "5\\n\\u{1b}"),
            (|| std::panic::panic_any(5), "no words"),
        ];
        for (panic, words) in panics {
            let error = on_own_thread("resolver", move |_| panic(), refused).await.unwrap_err();
            assert_eq!(error.to_string(), format!("internal failure of the resolver: {words}"));
            assert!(error.is_permanent());
        }
        assert_eq!(on_own_thread("resolver", |_| 5, refused).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn the_work_learns_that_its_caller_has_stopped_waiting() {
        let (told, is_told) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let work = move |caller: Caller| {
            runtime.block_on(caller.gone());
            let _ = told.send(());
        };
        let call = on_own_thread("test", work, refused);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), call).await.is_err());
        is_told.await.unwrap();
    }
}
