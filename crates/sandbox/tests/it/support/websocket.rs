//! A WebSocket as a blocking stream of bytes.

use std::io::{self, Read, Write};

use sandbox::Sandbox;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::{self, Error, Message, WebSocket};

use crate::support::tls::{Options, Tls, connect};

/// Reads and writes binary messages.
pub(crate) struct WebSocketStream {
    socket: WebSocket<Tls>,
    received: Vec<u8>,
}

impl WebSocketStream {
    /// Opens `/mqtt` with this query, with its question mark, and further headers.
    pub(crate) fn open(sandbox: &Sandbox, query: &str, headers: &[(String, String)]) -> Self {
        let url = format!("wss://localhost:{}/mqtt{query}", sandbox.https_port());
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let tls = connect(&Options::https(sandbox)).unwrap();
        let (socket, _) = tungstenite::client(request, tls).unwrap();
        WebSocketStream { socket, received: Vec::new() }
    }
}

impl Read for WebSocketStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.received.is_empty() {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.received = bytes.to_vec(),
                Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(0),
                Ok(_) => {}
                Err(Error::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let count = self.received.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.received[..count]);
        self.received.drain(..count);
        Ok(count)
    }
}

impl Write for WebSocketStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(Message::binary(bytes.to_vec())).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush().map_err(io::Error::other)
    }
}
