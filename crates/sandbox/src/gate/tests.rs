//! The gate's patience, with seconds that pass fast.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::*;
use crate::authorizer::AuthorizerTable;
use crate::clock::Clock;
use crate::connections::{Connection, ConnectionLog, Transport};
use crate::credentials::Holder;
use crate::limits::Patience;
use crate::names::{ACCOUNT_ID, REGION};
use crate::pki::{Authority, ServerCertificate};
use crate::policy::{PolicyStore, Principal};
use crate::received::Recorders;
use crate::sigv4::Verifier;
use crate::things::Things;
use crate::tls::{Configurations, TlsVersions};

/// What the gate takes for a second here.
const SECOND: Duration = Duration::from_millis(20);

const ALLOW_ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;

/// Nothing may be published.
const ALLOW_CONNECT: &str = r#"{"Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;

/// A client's end of a stream that is served.
fn open(policy: &str) -> DuplexStream {
    let authority = Authority::new("test").unwrap();
    let server = authority.issue_server(ServerCertificate::Valid).unwrap();
    let policies = PolicyStore::new(REGION, ACCOUNT_ID);
    policies.replace(Principal::Iam, &[policy.to_owned()]).unwrap();
    let account = Account {
        clock: Clock::default(),
        tls: Configurations::new(&authority, &server, TlsVersions::default()).unwrap().into(),
        policies: Arc::new(policies),
        things: Things::default(),
        authorizers: AuthorizerTable::default(),
        verifier: Verifier { region: REGION.to_owned(), credentials: Arc::default() },
        connections: ConnectionLog::default(),
        recorders: Recorders::default(),
        patience: Patience {
            connect: 10 * SECOND,
            send: 10 * SECOND,
            keep_alive_second: SECOND,
            authorizer_second: SECOND,
        },
        refusals: Default::default(),
    };
    let client = Client {
        peer: ([127, 0, 0, 1], 1).into(),
        authentication: Authentication::Signature(Holder::Iam),
        entry: account.connections.add(Connection::new(Transport::WebSocket, Principal::Iam, None, None)),
    };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { serve(theirs, client, &account, &Arc::new(Broker::new())).await });
    ours
}

/// Connects with a keep-alive; the client ID is `id`.
async fn connect(policy: &str, level: u8, keep_alive: u8) -> DuplexStream {
    let mut stream = open(policy);
    let mut connect = b"\x10\x0E\x00\x04MQTT".to_vec();
    connect.extend([level, 2, 0, keep_alive]);
    if level == 5 {
        connect[1] += 1;
        connect.push(0);
    }
    connect.extend(b"\x00\x02id");
    stream.write_all(&connect).await.unwrap();
    let mut header = [0; 2];
    stream.read_exact(&mut header).await.unwrap();
    assert_eq!(header[0], 0x20);
    let mut body = vec![0; usize::from(header[1])];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(body[..2], [0, 0]);
    stream
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    for (level, last_words) in [(5, &[0xE0, 2, 0x8D, 0][..]), (4, &[])] {
        // One second is too short for AWS IoT: 30 hold, and half as much again.
        let mut stream = connect(ALLOW_ALL, level, 1).await;
        timeout(20 * SECOND, stream.read(&mut [0])).await.expect_err("nothing happens");
        let since = Instant::now();
        stream.write_all(&[0xC0, 0]).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, [&[0xD0, 0], last_words].concat());
        assert!(since.elapsed() >= 45 * SECOND, "the PINGREQ counts: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_client_that_never_connects_is_closed() {
    let mut stream = open(ALLOW_ALL);
    stream.write_all(&[0x10]).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

/// A PUBLISH with QoS 1 that is denied takes 8 bytes, its PUBACK 5. The stream holds 64 KiB each way.
const PUBLISH: [u8; 8] = [0x32, 6, 0, 1, b'a', 0, 1, 0];
const DENIED: [u8; 5] = [0x40, 3, 0, 1, 0x87];

#[tokio::test]
async fn answers_do_not_pile_up() {
    let mut stream = connect(ALLOW_CONNECT, 5, 60).await;
    // More answers than the stream, the queue and what is between them hold; the rest of the PUBLISHes fits the stream.
    let sent = 18_000;
    stream.write_all(&PUBLISH.repeat(sent)).await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    let answers = received.strip_suffix(&[0xE0, 2, 0x97, 0]).expect("quota exceeded, at the end");
    assert!(answers.len() < sent * DENIED.len());
    assert!(answers.chunks(DENIED.len()).all(|answer| answer == DENIED));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let mut stream = connect(ALLOW_ALL, 5, 60).await;
    stream.write_all(b"\x82\x07\x00\x01\x00\x00\x01a\x00").await.unwrap();
    // Messages to itself, until nobody takes them any more.
    let message = [&b"\x30\x84\x08\x00\x01a\x00"[..], &[0; 1024]].concat();
    while stream.write_all(&message).await.is_ok() {}
}
