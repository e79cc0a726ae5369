use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::backlog::Backlog;
use super::link::{Link, LinkEnd};
use super::pulse::Pulse;
use super::receipt::Receipts;

const KEEP_ALIVE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(30);

/// Of MQTT 3.1.1, whose packets are shorter.
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];
const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A PUBLISH of QoS 0.
const AT_MOST_ONCE: [u8; 6] = [0x30, 4, 0, 1, b't', b'x'];

/// A link that runs, with a broker that the test plays.
struct Running {
    address: SocketAddr,
    broker: DuplexStream,
    receipts: Receipts,
    end: JoinHandle<LinkEnd>,
    _stop: oneshot::Sender<Infallible>,
}

impl Running {
    async fn start(keep_alive: Duration) -> Self {
        let (link, receipts) = Link::open(Arc::new(Backlog::default())).await.unwrap();
        let address = link.address;
        let (near_end, broker) = duplex(1 << 20);
        let (connack, _) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let run = link.run(Box::new(near_end), Pulse::new(keep_alive), connack, stopped);
        Self { address, broker, receipts, end: tokio::spawn(run), _stop: stop }
    }

    /// The same with a connection that stands, and paho's end of it.
    async fn connected(keep_alive: Duration) -> (Self, TcpStream) {
        let mut link = Self::start(keep_alive).await;
        let mut paho = TcpStream::connect(link.address).await.unwrap();
        link.broker.write_all(&CONNACK).await.unwrap();
        expect(&mut paho, &CONNACK).await;
        (link, paho)
    }

    /// The end, which a test has brought about.
    async fn end(self) -> LinkEnd {
        timeout(LIMIT, self.end).await.expect("in time").unwrap()
    }
}

/// Requires that these bytes come next.
async fn expect(stream: &mut (impl AsyncRead + Unpin), bytes: &[u8]) {
    let mut seen = vec![0; bytes.len()];
    timeout(LIMIT, stream.read_exact(&mut seen)).await.expect("in time").unwrap();
    assert_eq!(seen, bytes);
}

/// A PUBLISH of QoS 1.
fn publish(packet_id: u8) -> [u8; 8] {
    [0x32, 6, 0, 1, b't', 0, packet_id, b'x']
}

fn puback(packet_id: u8) -> [u8; 4] {
    [0x40, 2, 0, packet_id]
}

#[tokio::test]
async fn a_broker_that_does_not_answer_a_ping_is_given_up() {
    let (mut link, mut paho) = Running::connected(Duration::from_secs(1)).await;
    // Answered, once: the link lives on. paho has not asked and hears nothing of it.
    expect(&mut link.broker, &PINGREQ).await;
    link.broker.write_all(&PINGRESP).await.unwrap();
    expect(&mut link.broker, &PINGREQ).await;
    assert_eq!(timeout(LIMIT, paho.read(&mut [0; 2])).await.expect("in time").unwrap(), 0);
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Silence(_)));
}

#[tokio::test]
async fn a_request_without_an_answer_is_followed_by_a_ping() {
    // PUBLISH of QoS 1, SUBSCRIBE, UNSUBSCRIBE.
    for request in [&publish(1)[..], &[0x82, 6, 0, 1, 0, 1, b't', 1], &[0xa2, 5, 0, 1, 0, 1, b't']] {
        let (mut link, mut paho) = Running::connected(Duration::from_secs(2)).await;
        let began = Instant::now();
        paho.write_all(request).await.unwrap();
        expect(&mut link.broker, request).await;
        expect(&mut link.broker, &PINGREQ).await;
        assert!(began.elapsed() < Duration::from_secs(2), "earlier than the keep-alive alone would");
        // The broker is slow, and there.
        link.broker.write_all(&PINGRESP).await.unwrap();
        link.broker.write_all(&puback(1)).await.unwrap();
        expect(&mut paho, &puback(1)).await;
        // The broker is gone.
        let began = Instant::now();
        paho.write_all(request).await.unwrap();
        assert_eq!(timeout(LIMIT, paho.read(&mut [0; 2])).await.expect("in time").unwrap(), 0);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        drop(paho);
        assert!(matches!(link.end().await, LinkEnd::Silence(_)));
    }
}

/// paho thinks that it has sent something all the time, and sends no PINGREQ.
#[tokio::test]
async fn a_broker_whose_messages_are_not_acknowledged_still_hears_of_us() {
    let (link, mut paho) = Running::connected(Duration::from_secs(1)).await;
    let (mut reader, mut writer) = tokio::io::split(link.broker);
    let chatter = async {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for packet_id in 1..100 {
            tick.tick().await;
            writer.write_all(&publish(packet_id)).await.unwrap();
            expect(&mut paho, &publish(packet_id)).await;
            paho.write_all(&puback(packet_id)).await.unwrap();
        }
    };
    tokio::select! {
        () = expect(&mut reader, &PINGREQ) => {}
        () = chatter => panic!("no PINGREQ in ten times the keep-alive"),
    }
}

#[tokio::test]
async fn pings_of_paho_are_answered_between_packets() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    paho.write_all(&PINGREQ).await.unwrap();
    expect(&mut paho, &PINGRESP).await;
    // Inside a packet the answer waits for its end.
    let message = publish(1);
    link.broker.write_all(&message[..7]).await.unwrap();
    expect(&mut paho, &message[..7]).await;
    paho.write_all(&[&PINGREQ[..], &AT_MOST_ONCE].concat()).await.unwrap();
    expect(&mut link.broker, &AT_MOST_ONCE).await;
    link.broker.write_all(&message[7..]).await.unwrap();
    expect(&mut paho, &[&message[7..], &PINGRESP].concat()).await;
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn a_message_is_acknowledged_when_its_receipt_says_so() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    let sent = [&publish(1)[..], &AT_MOST_ONCE, &publish(2), &publish(3)].concat();
    link.broker.write_all(&sent).await.unwrap();
    expect(&mut paho, &sent).await;
    // What paho acknowledges does not go out, whether it comes in one piece or in many.
    for byte in puback(1) {
        paho.write_all(&[byte]).await.unwrap();
    }
    paho.write_all(&[&puback(2)[..], &puback(3), &publish(9)].concat()).await.unwrap();
    expect(&mut link.broker, &publish(9)).await;

    // paho need not write for it.
    link.receipts.next().unwrap().acknowledge();
    expect(&mut link.broker, &puback(1)).await;
    // QoS 0 has none, and a receipt that is dropped says nothing.
    link.receipts.next().unwrap().acknowledge();
    drop(link.receipts.next().unwrap());
    // Never inside a packet of paho's.
    paho.write_all(&publish(8)[..7]).await.unwrap();
    expect(&mut link.broker, &publish(8)[..7]).await;
    link.receipts.next().unwrap().acknowledge();
    assert!(link.receipts.next().is_none());
    paho.write_all(&publish(8)[7..]).await.unwrap();
    expect(&mut link.broker, &[&publish(8)[7..], &puback(3)].concat()).await;
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn an_acknowledgement_given_before_a_disconnect_goes_out_before_it() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    for round in 1..=100 {
        link.broker.write_all(&publish(round)).await.unwrap();
        expect(&mut paho, &publish(round)).await;
        link.receipts.next().unwrap().acknowledge();
        // Any packet of paho's: after a DISCONNECT nothing is sent.
        let next = if round < 100 { &AT_MOST_ONCE[..] } else { &DISCONNECT };
        paho.write_all(next).await.unwrap();
        expect(&mut link.broker, &[&puback(round)[..], next].concat()).await;
    }
    link.broker.write_all(&publish(101)).await.unwrap();
    expect(&mut paho, &publish(101)).await;
    link.receipts.next().unwrap().acknowledge();
    drop(paho);
    let mut rest = Vec::new();
    link.broker.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "nothing follows a DISCONNECT");
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn receipts_of_an_earlier_connection_are_void() {
    let (mut earlier, mut paho) = Running::connected(KEEP_ALIVE).await;
    earlier.broker.write_all(&publish(1)).await.unwrap();
    expect(&mut paho, &publish(1)).await;
    let receipt = earlier.receipts.next().unwrap();
    drop(paho);
    assert!(matches!(earlier.end().await, LinkEnd::Paho));

    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    // The broker has used the packet identifier anew.
    link.broker.write_all(&publish(1)).await.unwrap();
    expect(&mut paho, &publish(1)).await;
    receipt.acknowledge();
    paho.write_all(&AT_MOST_ONCE).await.unwrap();
    expect(&mut link.broker, &AT_MOST_ONCE).await;
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn paho_can_write_until_it_closes() {
    let link = Running::start(KEEP_ALIVE).await;
    let mut paho = TcpStream::connect(link.address).await.unwrap();
    // The broker goes, and paho learns of it by the end of its input.
    drop(link.broker);
    assert_eq!(paho.read(&mut [0]).await.unwrap(), 0);
    // What it writes meanwhile, several times over what a socket buffers, is taken.
    for _ in 0..1000 {
        paho.write_all(&[0; 16 * 1024]).await.unwrap();
    }
    assert!(!link.end.is_finished());
    drop(paho);
    assert!(matches!(link.end.await.unwrap(), LinkEnd::BrokerClosed));
}

#[tokio::test]
async fn another_process_is_dropped_and_this_one_served() {
    let mut link = Running::start(KEEP_ALIVE).await;

    // A real other process connects first and reads until it is dropped.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{} && cat <&3", link.address.port());
    let foreign = tokio::task::spawn_blocking(move || {
        Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).output()
    });
    let output = timeout(LIMIT, foreign).await.expect("dropped").unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || stderr.contains("reset"), "it did connect: {stderr}");
    assert!(output.stdout.is_empty());

    let mut own = TcpStream::connect(link.address).await.unwrap();
    own.write_all(&DISCONNECT).await.unwrap();
    expect(&mut link.broker, &DISCONNECT).await;
    drop(own);
    assert!(matches!(link.end.await.unwrap(), LinkEnd::Paho));
}

#[tokio::test]
async fn a_ping_is_answered_while_the_application_lags() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;

    // One message more than may wait, then something that waits behind it.
    let mut sent = AT_MOST_ONCE.repeat(Backlog::MESSAGES + 1);
    sent.extend(puback(7));
    link.broker.write_all(&sent).await.unwrap();
    expect(&mut paho, &AT_MOST_ONCE.repeat(Backlog::MESSAGES)).await;

    paho.write_all(&PINGREQ).await.unwrap();
    expect(&mut paho, &PINGRESP).await;

    // The application takes one message, and the next comes through.
    drop(link.receipts.next().unwrap());
    expect(&mut paho, &[&AT_MOST_ONCE[..], &puback(7)].concat()).await;
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}
