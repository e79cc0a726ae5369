//! The WebSocket layer against tungstenite's own server, and against scripted answers.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;

use super::*;

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
    upgrade(
        Box::new(stream),
        "a.example",
        "/mqtt?X-Amz-Signature=1",
        TARGET,
        AuthKind::Credentials { cognito_identity: None },
    )
    .await
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
    let close = CloseFrame { code: CloseCode::Policy, reason: Utf8Bytes::from_static("quota") };
    server.close(Some(close)).await.expect("closes");
    let error = client.read(&mut [0]).await.expect_err("closed");
    assert_eq!(error.to_string(), "the server closed the WebSocket with code 1008: quota");
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
}
