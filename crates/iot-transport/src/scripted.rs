//! The other end of a connection in tests: in memory and without a task of its own, so that a million of them are soon
//! done.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A peer that takes all that it is sent, says what it has to say, and closes.
pub(super) struct Scripted {
    asked: Vec<u8>,
    /// What it answers to an HTTP request, once that is there.
    answer: Option<Answer>,
    said: Vec<u8>,
    read: usize,
    /// The most bytes in one read.
    piece: usize,
    reader: Option<Waker>,
}

type Answer = Box<dyn FnOnce(&[u8]) -> Vec<u8> + Send>;

impl Scripted {
    /// A peer that says this, at most `piece` bytes at a time, whatever it hears.
    pub(super) fn says(bytes: &[u8], piece: usize) -> Self {
        let said = bytes.to_vec();
        Self { asked: Vec::new(), answer: None, said, read: 0, piece, reader: None }
    }

    /// A peer that says what `answer` makes of the request.
    pub(super) fn answers(answer: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static, piece: usize) -> Self {
        Self { answer: Some(Box::new(answer)), ..Self::says(&[], piece) }
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answer.is_some() && !self.asked.ends_with(b"\r\n\r\n") {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        if let Some(answer) = self.answer.take() {
            self.said = answer(&self.asked);
        }
        let rest = &self.said[self.read..];
        let length = rest.len().min(self.piece).min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.read += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.asked.extend_from_slice(bytes);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
