//! The handler's end of the stream from the gate.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use mqtt5::broker::transport::WebSocketTransport;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// An in-memory stream that knows the address of the client.
pub(super) struct Link {
    stream: DuplexStream,
    peer: SocketAddr,
}

impl Link {
    pub(super) fn new(stream: DuplexStream, peer: SocketAddr) -> Self {
        Link { stream, peer }
    }
}

/// The broker's only kind of transport that takes a stream of any type; there is no WebSocket in it.
impl WebSocketTransport for Link {
    fn peer_addr(&self) -> mqtt5::error::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
