use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::end::LinkEnd;

/// A link in a task of its own, which ends it in the way that paho needs when this is dropped.
pub(crate) struct RunningLink {
    task: JoinHandle<LinkEnd>,
    stop: Option<oneshot::Sender<Infallible>>,
}

impl RunningLink {
    /// The time that a link whose paho has gone may take to end by itself. A transport that takes no more bytes holds it
    /// up.
    const END_TIMEOUT: Duration = Duration::from_secs(1);

    pub(crate) fn start<F: Future<Output = LinkEnd> + Send + 'static>(
        run: impl FnOnce(oneshot::Receiver<Infallible>) -> F,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { task: tokio::spawn(run(stopped)), stop: Some(stop) }
    }

    /// Waits for the end that paho's has brought about.
    pub(crate) async fn end(&mut self) -> LinkEnd {
        let end = match timeout(Self::END_TIMEOUT, &mut self.task).await {
            Ok(end) => end,
            Err(_) => {
                drop(self.stop.take());
                (&mut self.task).await
            }
        };
        // The task is never aborted, and makes an end of a panic by itself.
        end.unwrap_or(LinkEnd::Stopped)
    }
}
