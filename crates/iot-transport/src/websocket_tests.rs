//! The WebSocket layer against tungstenite's own server, and against scripted answers.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;

use super::*;
use crate::scripted::Scripted;
use testkit::property::Cases;

const TARGET: &str = "a.example:443";

/// Both ends of an open WebSocket.
#[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
async fn pair() -> (Stream, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(4096);
    let server = tokio_tungstenite::accept_hdr_async(theirs, |request: &Request, mut response: Response| {
        assert_eq!(request.headers()["host"], "a.example");
        assert_eq!(request.uri(), "/mqtt?X-Amz-Signature=1");
        response.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().expect("a value"));
        Ok(response)
    });
    let (client, server) = tokio::join!(open(ours), server);
    (client.expect("opens"), server.expect("accepts"))
}

async fn open(stream: DuplexStream) -> Result<Stream, Error> {
    upgrade(Box::new(stream), "a.example", "/mqtt?X-Amz-Signature=1", TARGET).await
}

/// What the client makes of an answer that is sent whatever it asks.
async fn answered(answer: &str) -> Error {
    let (ours, mut theirs) = duplex(64 * 1024);
    let server = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(theirs.read_u8().await.expect("reads"));
        }
        theirs.write_all(answer.as_bytes()).await.expect("writes");
        theirs.shutdown().await.expect("shuts down");
    };
    match tokio::join!(open(ours), server).0 {
        Ok(_) => panic!("opened by {answer:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn carries_bytes_both_ways() {
    let (mut client, mut server) = pair().await;
    // Flushed, a write arrives whether or not anything follows it.
    client.write_all(b"CONNECT").await.expect("writes");
    client.flush().await.expect("flushes");
    let received = server.next().await.expect("a message").expect("reads");
    assert_eq!(received, Message::Binary(Bytes::from_static(b"CONNECT")));

    // One packet in two messages, with an empty one and a ping between them.
    for message in [
        Message::Binary(Bytes::from_static(b"CON")),
        Message::Binary(Bytes::new()),
        Message::Ping(Bytes::from_static(b"?")),
        Message::Binary(Bytes::from_static(b"NACK")),
    ] {
        server.send(message).await.expect("sends");
    }
    let mut packet = [0; 7];
    client.read_exact(&mut packet).await.expect("reads");
    assert_eq!(&packet, b"CONNACK");
}

#[tokio::test]
async fn answers_a_ping_while_it_only_reads() {
    let (mut client, mut server) = pair().await;
    let reading = tokio::spawn(async move { client.read_u8().await });
    server.send(Message::Ping(Bytes::from_static(b"?"))).await.expect("sends");
    assert_eq!(server.next().await.expect("a pong").expect("reads"), Message::Pong(Bytes::from_static(b"?")));
    server.send(Message::Binary(Bytes::from_static(b"!"))).await.expect("sends");
    assert_eq!(reading.await.expect("joins").expect("reads"), b'!');
}

#[tokio::test]
async fn splits_big_writes() {
    let (mut client, mut server) = pair().await;
    let big = fastrand::Rng::with_seed(1).u64(..).to_le_bytes().repeat(20_000);
    let (written, received) = tokio::join!(
        async {
            client.write_all(&big).await?;
            client.flush().await
        },
        async {
            let mut received = Vec::new();
            while received.len() < 160_000 {
                let data = server.next().await.expect("a message").expect("reads").into_data();
                assert!(data.len() <= MAX_SENT);
                received.extend_from_slice(&data);
            }
            received
        }
    );
    written.expect("writes");
    assert!(received == big);
}

#[tokio::test]
async fn takes_back_pressure() {
    let (mut client, _server) = pair().await;
    let endless = async {
        for _ in 0..100 {
            client.write_all(&[0; 16 * 1024]).await?;
        }
        client.flush().await
    };
    // Nobody reads: the writes must not pile up in memory.
    assert!(tokio::time::timeout(Duration::from_millis(100), endless).await.is_err());
}

#[tokio::test]
async fn ends_in_order() {
    let (mut client, mut server) = pair().await;
    server.close(None).await.expect("closes");
    assert_eq!(client.read(&mut [0]).await.expect("reads"), 0);
}

#[tokio::test]
async fn shutdown_sends_a_close_frame() {
    let (mut client, mut server) = pair().await;
    client.shutdown().await.expect("shuts down");
    assert!(matches!(server.next().await, Some(Ok(Message::Close(None)))));
}

#[tokio::test]
async fn says_why_it_was_closed() {
    let (mut client, mut server) = pair().await;
    let close = CloseFrame { code: CloseCode::Policy, reason: Utf8Bytes::from_static("quota\x1b[2J") };
    server.close(Some(close)).await.expect("closes");
    let error = client.read(&mut [0]).await.expect_err("closed");
    assert_eq!(error.to_string(), "the server closed the WebSocket with code 1008: quota\\u{1b}[2J");
}

#[tokio::test]
async fn text_and_a_lost_connection_are_errors() {
    let (mut client, mut server) = pair().await;
    server.send(Message::text("hello")).await.expect("sends");
    assert_eq!(client.read(&mut [0]).await.expect_err("text").kind(), io::ErrorKind::InvalidData);

    let (mut client, server) = pair().await;
    drop(server);
    assert!(client.read(&mut [0]).await.is_err());
}

#[tokio::test]
async fn a_lost_connection_fails_as_often_as_it_is_used() {
    let (mut client, server) = pair().await;
    drop(server);
    for _ in 0..3 {
        let sent = async {
            client.write_all(b"PUBLISH").await?;
            client.flush().await
        };
        assert!(sent.await.is_err());
        assert!(client.shutdown().await.is_err());
    }
}

#[tokio::test]
async fn a_refusal_keeps_what_the_server_said() {
    let body = r#"{"message":"Forbidden: signature expired","traceId":"1"}"#;
    let error = answered(&format!(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ForbiddenException:\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    let Error::UpgradeRefused { target, refusal, .. } = error else { panic!("{error:?}") };
    assert_eq!((target.as_str(), refusal.status), (TARGET, 403));
    assert_eq!(refusal.error_type.as_deref(), Some("ForbiddenException"));
    assert_eq!(refusal.message.as_deref(), Some("Forbidden: signature expired"));
    assert!(refusal.clock_skew.is_some_and(|skew| skew > 900_000_000));
}

#[tokio::test]
async fn a_refusal_is_bounded_and_may_be_cut_off() {
    let long = answered(&format!("HTTP/1.1 503 Busy\r\n\r\n{}", "x".repeat(50_000))).await;
    assert!(matches!(&long, Error::UpgradeRefused { refusal, .. } if refusal.status == 503), "{long:?}");
    let cut = answered("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nno").await;
    assert!(matches!(cut, Error::UpgradeRefused { refusal, .. } if refusal.message.as_deref() == Some("no")));
}

#[tokio::test]
async fn answers_that_are_not_websocket() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (answer, word) in [
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
            "another protocol",
        ),
        (&format!("{switch}\r\n"), "Sec-WebSocket-Accept"),
        (&format!("{switch}Sec-WebSocket-Accept: AAAA\r\n\r\n"), "Sec-WebSocket-Accept"),
        ("", ""),
        ("SSH-2.0-OpenSSH_9\r\n", ""),
    ] {
        match answered(answer).await {
            Error::WebSocket { source, .. } => {
                assert!(source.to_string().contains(word), "{answer:?}: {source}")
            }
            other => panic!("{answer:?} gives {other:?}"),
        }
    }
}

#[test]
fn the_subprotocol_must_be_mqtt() {
    let mut headers = HeaderMap::new();
    headers.insert(UPGRADE, "WebSocket".parse().expect("a value"));
    headers.insert(CONNECTION, "keep-alive, Upgrade".parse().expect("a value"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, derive_accept_key(b"key").parse().expect("a value"));
    assert!(check_answer(&headers, "key").is_err_and(|problem| problem.contains("did not accept")));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, "chat".parse().expect("a value"));
    assert!(check_answer(&headers, "key").is_err_and(|problem| problem.contains("chose the subprotocol")));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, "mqtt".parse().expect("a value"));
    assert_eq!(check_answer(&headers, "key"), Ok(()));
    headers.insert(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate".parse().expect("a value"));
    assert!(check_answer(&headers, "key").is_err_and(|problem| problem.contains("extension")));
}

/// In an answer of a corpus, the key that answers the request's.
const ACCEPT: &[u8] = b"{accept}";

/// What comes of an answer to the upgrade that arrives in such pieces: the answer as it was sent with the key that it
/// had to have, or what is shown.
async fn upgraded(answer: &[u8], piece: usize) -> Result<(Vec<u8>, String), String> {
    let (sender, sent) = std::sync::mpsc::channel();
    let mut answer = answer.to_vec();
    let peer = Scripted::answers(
        move |request| {
            let request = String::from_utf8_lossy(request);
            let key = request.split_once("sec-websocket-key: ").and_then(|(_, rest)| rest.split_once("\r\n"));
            let accept = derive_accept_key(key.expect("a key").0.as_bytes());
            if let Some(at) = answer.windows(ACCEPT.len()).position(|window| window == ACCEPT) {
                answer.splice(at..at + ACCEPT.len(), accept.bytes());
            }
            sender.send((answer.clone(), accept)).expect("is awaited");
            answer
        },
        piece,
    );
    match upgrade(Box::new(peer), "a.example", "/mqtt?X-Amz-Signature=hush", TARGET).await {
        Ok(_) => Ok(sent.recv().expect("a request")),
        Err(error) => Err(match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
    }
}

/// Whatever answers the upgrade: it opens only with 101 and all that RFC 6455 §4.1 wants of it, it does not matter in
/// which pieces the answer comes, and no message moves the terminal's cursor.
#[tokio::test]
async fn property_websocket_answer() {
    const PIECES: &[&[u8]] = &[
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b" ",
        b":",
        b",",
        b"{accept}",
        b"HTTP/1.1 101 \r\n",
        b"HTTP/1.1 403 no\r\n",
        b"HTTP/1.1 100 \r\n\r\n",
        b"101",
        b"Upgrade: websocket\r\n",
        b"Upgrade: h2c\r\n",
        b"Connection: keep-alive, UPGRADE\r\n",
        b"Connection: close\r\n",
        b"Sec-WebSocket-Accept: {accept}\r\n",
        b"Sec-WebSocket-Protocol: mqtt\r\n",
        b"Sec-WebSocket-Protocol: chat\r\n",
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"x-amzn-ErrorType: ForbiddenException:\r\n",
        b"{\"message\":\"\\u001b[2J\"}",
        b"\x1b[2J",
        b"\xff",
        b"\0",
    ];
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "websocket_answer", 1_000, PIECES) {
        let whole = upgraded(&case, usize::MAX).await;
        let in_pieces = upgraded(&case, 1 + case.len() % 7).await;
        match (&whole, &in_pieces) {
            (Ok((answer, accept)), Ok(_)) => {
                let answer = String::from_utf8_lossy(answer);
                let mut lines = answer.split('\n').map(|line| line.trim_end_matches('\r'));
                // Of what goes before only the status matters: 1xx is not the answer.
                let status = lines.by_ref().find(|line| line.get(9..12) == Some("101")).expect("101");
                assert!(status.starts_with("HTTP/1."), "{status:?}");
                let headers: Vec<_> = lines
                    .take_while(|line| !line.is_empty())
                    .filter_map(|line| line.split_once(':'))
                    .collect();
                let has = |name: &str, value: &str| {
                    headers.iter().any(|(header, values)| {
                        header.eq_ignore_ascii_case(name)
                            && values.split(',').any(|one| one.trim().eq_ignore_ascii_case(value))
                    })
                };
                assert!(has("upgrade", "websocket") && has("connection", "upgrade"), "{headers:?}");
                assert!(has("sec-websocket-accept", accept), "{headers:?}");
                assert!(has("sec-websocket-protocol", "mqtt"), "{headers:?}");
                assert!(!has("sec-websocket-extensions", "permessage-deflate"), "{headers:?}");
            }
            (Err(shown), Err(also)) => {
                for shown in [shown, also] {
                    assert!(!shown.contains("hush") && !shown.contains(char::is_control), "{shown:?}");
                }
            }
            _ => panic!("{whole:?} whole, {in_pieces:?} in pieces"),
        }
    }
}

/// What comes of these bytes on an open WebSocket, in such pieces: what is within, and how it ends.
async fn unframed(bytes: &[u8], piece: usize) -> (Vec<u8>, Result<(), String>) {
    let mut stream = frames(Scripted::says(bytes, piece)).await;
    let mut within = Vec::new();
    let end = stream.read_to_end(&mut within).await.map(drop).map_err(|error| error.to_string());
    (within, end)
}

/// What the bytes of a server hold, by RFC 6455 §5: the binary messages that are whole, and whether a Close in good order
/// ends them.
fn binary_messages(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut within, mut begun, mut text) = (Vec::new(), None::<Vec<u8>>, false);
    loop {
        let &[head, length, ref rest @ ..] = bytes else { return (within, false) };
        let (length, rest) = match (length, rest) {
            (..=125, rest) => (usize::from(length), rest),
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(length).unwrap_or(usize::MAX), rest)
            }
            // A mask is not for servers.
            _ => return (within, false),
        };
        let Some((payload, rest)) = rest.split_at_checked(length) else { return (within, false) };
        bytes = rest;
        match (head, &mut begun) {
            (0x82, None) => within.extend_from_slice(payload),
            (0x01 | 0x02, None) => (begun, text) = (Some(payload.to_vec()), head == 0x01),
            (0x00, Some(begun)) => begun.extend_from_slice(payload),
            (0x80, Some(_)) if !text => {
                within.extend(begun.take().unwrap_or_default());
                within.extend_from_slice(payload);
            }
            (0x89 | 0x8a, _) if length <= 125 => {}
            (0x88, _) => {
                let in_order = match payload {
                    [] => true,
                    [0x03, 0xe8, reason @ ..] => length <= 125 && str::from_utf8(reason).is_ok(),
                    _ => false,
                };
                return (within, in_order);
            }
            // Text, for one.
            _ => return (within, false),
        }
        // Text is UTF-8 in each of its fragments, but for a character that the next one completes.
        let started = begun.as_deref().filter(|_| text).map(str::from_utf8);
        if started.is_some_and(|text| text.is_err_and(|error| error.error_len().is_some())) {
            return (within, false);
        }
    }
}

/// Whatever a server sends once the WebSocket is open: only what whole binary messages hold comes out, only a Close in
/// good order ends it without an error, and it does not matter in which pieces it comes.
#[tokio::test]
async fn property_websocket_frames() {
    const PIECES: &[&[u8]] = &[
        b"\x82\x02ab",
        b"\x82\x00",
        b"\x82\x7e\x00\x80",
        b"\x02\x01a",
        b"\x00\x01b",
        b"\x80\x01c",
        b"\x81\x02hi",
        b"\x01\x02hi",
        b"\x89\x01?",
        b"\x8a\x00",
        b"\x88\x00",
        b"\x88\x02\x03\xe8",
        b"\x88\x07\x03\xf0\x1b[2Jq",
        b"\x88\x01\x03",
        b"\xc2\x01a",
        b"\x83\x00",
        b"\x8b\x00",
        b"\x82\x81\x00\x00\x00\x00a",
        b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00",
        b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01",
        &[b'x'; 126],
    ];
    for case in Cases::new(env!("CARGO_MANIFEST_DIR"), "websocket_frames", 3_000, PIECES) {
        let (within, end) = unframed(&case, usize::MAX).await;
        let (expected, in_order) = binary_messages(&case);
        assert_eq!((&within, end.is_ok()), (&expected, in_order), "{end:?}");
        assert_eq!(unframed(&case, 1 + case.len() % 7).await, (within, end.clone()), "whole, and in pieces");
        let shown = end.err().unwrap_or_default();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

/// A stream that panics when it is read.
struct Panicking;

impl tokio::io::AsyncRead for Panicking {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        panic!("below the upgrade");
    }
}

#[tokio::test]
#[should_panic(expected = "below the upgrade")]
async fn a_panic_below_the_upgrade_is_the_callers() {
    let _ =
        upgrade(Box::new(tokio::io::join(Panicking, tokio::io::sink())), "a.example", "/mqtt", TARGET).await;
}

#[test]
fn leaves_out_the_default_port_only() {
    assert_eq!(host_header("a.example", 443), "a.example");
    assert_eq!(host_header("a.example", 8443), "a.example:8443");
    assert_eq!(host_header("::1", 443), "[::1]");
    assert_eq!(host_header("::1", 8443), "[::1]:8443");
}
