//! WebSocket (RFC 6455) as a byte stream: the upgrade by hyper, so that a refusal keeps its status, headers and
//! body; the frames by tungstenite.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt, future, stream};
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use super::{Io, Stream, http_refusal, tls};
use crate::endpoint::bracketed;
use crate::error::Error;
use crate::http_refusal::HttpRefusal;
use crate::stream::driving;
use crate::text::{one_line, shortened};

/// The subprotocol of MQTT (MQTT 5 §6).
const SUBPROTOCOL: &str = "mqtt";

/// The largest message taken and the largest one sent, in bytes. MQTT packets may span messages (MQTT 5 §6), so
/// neither limits them; AWS IoT Core's own packets end at 128 KiB and a header.
const MAX_RECEIVED: usize = 1024 * 1024;
const MAX_SENT: usize = 32 * 1024;

/// A text message, where only binary ones are expected: its beginning, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is a WebSocket text message, \"{0}\"")]
pub struct TextMessage(pub String);

impl TextMessage {
    /// The most characters of a message that are shown.
    const SHOWN: usize = 80;

    fn new(text: &str) -> Self {
        Self(shortened(one_line(text), Self::SHOWN).unwrap_or_default())
    }
}

/// The `Host` header for a WebSocket connection over TLS: without the default port 443 (RFC 9110 §7.2), because
/// the header is part of what is signed and what proxies verify.
#[must_use]
pub fn host_header(host: &str, port: u16) -> String {
    let host = bracketed(host);
    if port == 443 { host } else { format!("{host}:{port}") }
}

/// Upgrades `stream` to WebSocket with GET `path`, a secret as it may be signed, and gives the bytes within its
/// binary messages.
///
/// Each write leaves as messages of its own and is on its way when flushed. Shutdown sends a Close frame.
///
/// # Errors
/// [`Error::UpgradeRefused`] when the server answers with anything but 101, [`Error::WebSocket`] when the
/// connection fails or the answer is not this protocol's; `target` is the `host:port` that they name.
pub async fn upgrade(stream: Stream, host_header: &str, path: &str, target: &str) -> Result<Stream, Error> {
    let key = generate_key();
    let request = Request::get(path)
        .header(HOST, host_header)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
        .body(Empty::<Bytes>::new())
        .map_err(|error| Error::WebSocket { target: target.to_owned(), source: error.into() })?;

    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| http_error(error, target))?;
    let answer = Box::pin(switched(sender, request, key, target));
    let upgraded = driving(Box::pin(connection.with_upgrades()), answer).await?;
    Ok(frames(TokioIo::new(upgraded)).await)
}

/// Sends the request, and gives what is behind an answer that switches protocols.
async fn switched(
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    key: String,
    target: &str,
) -> Result<Upgraded, Error> {
    let mut response = sender.send_request(request).await.map_err(|error| http_error(error, target))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let body = http_refusal::read_body(&mut response).await;
        let refusal = HttpRefusal::read(response.status(), response.headers(), &body);
        return Err(Error::UpgradeRefused { target: target.to_owned(), refusal: Box::new(refusal) });
    }
    check_answer(response.headers(), &key)
        .map_err(|problem| Error::WebSocket { target: target.to_owned(), source: problem.into() })?;
    hyper::upgrade::on(response).await.map_err(|error| http_error(error, target))
}

/// The failure of an HTTP exchange. Over TLS 1.3 a refused client certificate shows here, at the first read.
fn http_error(error: hyper::Error, target: &str) -> Error {
    tls::map_http_error(&error, target)
        .unwrap_or_else(|| Error::WebSocket { target: target.to_owned(), source: error.into() })
}

/// RFC 6455 §4.1, what the client must check of a 101.
fn check_answer(headers: &HeaderMap, key: &str) -> Result<(), String> {
    let has_token = |name: &HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    if !has_token(&UPGRADE, "websocket") || !has_token(&CONNECTION, "upgrade") {
        return Err("the server switched to another protocol than WebSocket".to_owned());
    }
    if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| accept != &derive_accept_key(key.as_bytes())) {
        return Err("the server's Sec-WebSocket-Accept does not answer this request".to_owned());
    }
    // None is offered; one that is used all the same would change what the frames mean.
    if headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().any(|extensions| !extensions.is_empty()) {
        return Err("the server uses a WebSocket extension that it was not offered".to_owned());
    }
    match headers.get(SEC_WEBSOCKET_PROTOCOL) {
        Some(protocol) if protocol == SUBPROTOCOL => Ok(()),
        Some(other) => {
            let other = other.as_bytes().escape_ascii();
            Err(format!("the server chose the subprotocol \"{other}\" instead of \"{SUBPROTOCOL}\""))
        }
        None => {
            Err(format!("the server did not accept the subprotocol \"{SUBPROTOCOL}\": is it an MQTT broker?"))
        }
    }
}

/// The bytes within the binary messages of a WebSocket that has been opened.
async fn frames(stream: impl Io + 'static) -> Stream {
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        // Writes go to the stream at once: what buffers belongs to the layers below.
        .write_buffer_size(0)
        .max_message_size(Some(MAX_RECEIVED))
        .max_frame_size(Some(MAX_RECEIVED));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
    let (sink, source) = socket.split();
    // A Close in good order is the end; waiting for the server to close TCP, too, could take for ever.
    let source = source.take_while(|message| future::ready(!is_orderly_close(message)));
    let reader = StreamReader::new(Box::pin(source.filter_map(|message| future::ready(payload(message)))));
    let writer = SinkWriter::new(CopyToBytes::new(Box::pin(
        Sending(sink).with_flat_map(|bytes: Bytes| stream::iter(messages(bytes).map(Ok::<_, io::Error>))),
    )));
    Box::new(tokio::io::join(reader, writer))
}

/// A sink of messages with the errors of a byte stream. A lost connection fails at each use, at the shutdown after a
/// failed write for one; `sink_map_err` panics at the second failure.
struct Sending<S>(S);

impl<S: Sink<Message, Error = WsError> + Unpin> Sink<Message> for Sending<S> {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready_unpin(context).map_err(into_io_error)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> io::Result<()> {
        self.0.start_send_unpin(message).map_err(into_io_error)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush_unpin(context).map_err(into_io_error)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close_unpin(context).map_err(into_io_error)
    }
}

/// The binary messages for one write.
fn messages(mut bytes: Bytes) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        let next = bytes.split_to(bytes.len().min(MAX_SENT));
        (!next.is_empty()).then_some(Message::Binary(next))
    })
}

/// What a message holds for MQTT; `None` for what tungstenite has dealt with.
fn payload(message: Result<Message, WsError>) -> Option<io::Result<Bytes>> {
    match message {
        Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
        // MQTT 5 §6 [MQTT-6.0.0-1].
        Ok(Message::Text(text)) => {
            Some(Err(io::Error::new(io::ErrorKind::InvalidData, TextMessage::new(&text))))
        }
        Ok(Message::Close(Some(close))) => Some(Err(closed(&close))),
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => None,
        Err(error) => Some(Err(into_io_error(error))),
    }
}

fn is_orderly_close(message: &Result<Message, WsError>) -> bool {
    match message {
        Ok(Message::Close(Some(close))) => close.code == CloseCode::Normal,
        Ok(Message::Close(None)) => true,
        _ => false,
    }
}

fn closed(close: &CloseFrame) -> io::Error {
    let text = match close.reason.as_str() {
        "" => format!("the server closed the WebSocket with code {}", close.code),
        reason => format!("the server closed the WebSocket with code {}: {}", close.code, one_line(reason)),
    };
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
}

fn into_io_error(error: WsError) -> io::Error {
    match error {
        WsError::Io(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;
