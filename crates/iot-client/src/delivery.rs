use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::driver::shared::Shared;
use crate::error::Error;

/// The broker's acknowledgement of a message that was [enqueued](super::Client::enqueue): a future with the errors of
/// [`Client::publish`](super::Client::publish), its timeout excepted. Dropping it changes nothing.
#[derive(Debug)]
pub struct Delivery {
    pub(super) answer: oneshot::Receiver<Result<(), Error>>,
    pub(super) shared: Arc<Shared>,
}

impl Future for Delivery {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        Poll::Ready(answer.unwrap_or_else(|_| Err(self.shared.stopped())))
    }
}
