//! The gate's patience, with seconds that pass fast.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::*;
use crate::account::{ACCOUNT_ID, REGION};
use crate::clock::Clock;
use crate::connections::{Connection, ConnectionLog, Transport};
use crate::pki::{Authority, ServerCertificate};
use crate::policy::PolicyStore;
use crate::sigv4::Verifier;
use crate::things::Things;
use crate::tls::Configurations;

/// What the gate takes for a second here.
const SECOND: Duration = Duration::from_millis(10);

const ALLOW_ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;

/// A client's end of a stream that is served.
fn open() -> DuplexStream {
    let authority = Authority::new("test").unwrap();
    let server = authority.issue_server(ServerCertificate::Valid).unwrap();
    let policies = PolicyStore::new(REGION, ACCOUNT_ID);
    policies.replace(Principal::Iam, &[ALLOW_ALL.to_owned()]).unwrap();
    let account = Account {
        clock: Clock::default(),
        tls: Configurations::new(&authority, &server).unwrap(),
        policies: Arc::new(policies),
        things: Things::default(),
        verifier: Verifier { region: REGION.to_owned(), known: Vec::new() },
        connections: ConnectionLog::default(),
        patience: Patience { connect: SECOND, keep_alive_second: SECOND },
        refusals: Default::default(),
    };
    let client = Authenticated {
        peer: ([127, 0, 0, 1], 1).into(),
        principal: Principal::Iam,
        thing: None,
        variables: Variables::default(),
        entry: account.connections.add(Connection::new(Transport::WebSocket, Principal::Iam, None, None)),
    };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { serve(theirs, client, &account, &Arc::new(Broker::new())).await });
    ours
}

/// Connects with a keep-alive; the client ID is `id`.
async fn connect(level: u8, keep_alive: u8) -> DuplexStream {
    let mut stream = open();
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
        let mut stream = connect(level, 1).await;
        timeout(30 * SECOND, stream.read(&mut [0])).await.expect_err("nothing happens");
        stream.write_all(&[0xC0, 0]).await.unwrap();
        let since = Instant::now();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, [&[0xD0, 0], last_words].concat());
        assert!(since.elapsed() >= 45 * SECOND, "the PINGREQ counts: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_client_that_never_connects_is_closed() {
    let mut stream = open();
    stream.write_all(&[0x10]).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}
