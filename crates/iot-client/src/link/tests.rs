use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::events::{self, Events};
use crate::link::Link;
use crate::link::backlog::Backlog;
use crate::link::end::LinkEnd;
use crate::link::inbox::{Gate, Hold};
use crate::link::keep_alive::KeepAlive;
use crate::session::SessionStart;
use crate::wire::frames::MAXIMUM_PACKET_SIZE;
use crate::{Event, Message, MqttVersion};

pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(60);
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Bytes that the broker's end takes without being read.
const BUFFERED: usize = 1 << 20;

/// Of MQTT 3.1.1, whose packets are shorter.
pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];
const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A PUBLISH of QoS 0.
pub(crate) const AT_MOST_ONCE: [u8; 6] = [0x30, 4, 0, 1, b't', b'x'];

/// A link that runs, with a broker that the test plays.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) broker: DuplexStream,
    pub(crate) events: Events,
    pub(crate) hold: Option<Hold>,
    pub(crate) gate: Gate,
    pub(crate) end: JoinHandle<LinkEnd>,
    pub(crate) stop: oneshot::Sender<Infallible>,
}

impl Running {
    pub(crate) async fn start(keep_alive: Duration) -> Self {
        let (sender, events) = events::queue("localhost:8883".to_owned());
        let (link, hold, gate) = Link::open(MqttVersion::V311, SessionStart::Resume, sender).await.unwrap();
        let address = link.address;
        let (near_end, broker) = duplex(BUFFERED);
        let (connack, _) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let run = link.run(Box::new(near_end), KeepAlive::new(keep_alive), connack, stopped);
        Self { address, broker, events, hold: Some(hold), gate, end: tokio::spawn(run), stop }
    }

    /// The same with a connection that stands, and paho's end of it.
    pub(crate) async fn connected(keep_alive: Duration) -> (Self, TcpStream) {
        let mut link = Self::start(keep_alive).await;
        let mut paho = TcpStream::connect(link.address).await.unwrap();
        link.broker.write_all(&CONNACK).await.unwrap();
        expect(&mut paho, &CONNACK).await;
        link.open();
        (link, paho)
    }

    /// The application has been told of the connection.
    fn open(&mut self) {
        self.hold.take().expect("once").release();
    }

    /// The next message, as the application takes it.
    pub(crate) async fn message(&mut self) -> Message {
        match timeout(LIMIT, self.events.next()).await.expect("in time") {
            Some(Event::Message(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    /// The application is done with the message that it took last.
    fn done(&mut self) {
        assert!(self.events.next().now_or_never().is_none(), "there is no other");
    }

    /// The end, which a test has brought about.
    pub(crate) async fn end(self) -> LinkEnd {
        timeout(LIMIT, self.end).await.expect("in time").unwrap()
    }
}

/// Requires that these bytes come next.
pub(crate) async fn expect(stream: &mut (impl AsyncRead + Unpin), bytes: &[u8]) {
    let mut seen = vec![0; bytes.len()];
    timeout(LIMIT, stream.read_exact(&mut seen)).await.expect("in time").unwrap();
    assert_eq!(seen, bytes);
}

/// A PUBLISH of MQTT 3.1.1 with this first byte.
pub(crate) fn publish_packet(first: u8, topic: &str, packet_id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let packet_id = packet_id.map_or(Vec::new(), |packet_id| packet_id.to_be_bytes().to_vec());
    let mut rest = 2 + topic.len() + packet_id.len() + payload.len();
    let mut packet = vec![first];
    while rest > 0x7f {
        packet.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    packet.push(rest as u8);
    packet.extend((topic.len() as u16).to_be_bytes());
    [&packet, topic.as_bytes(), &packet_id, payload].concat()
}

/// A PUBLISH of QoS 1.
pub(crate) fn publish(packet_id: u8) -> [u8; 8] {
    [0x32, 6, 0, 1, b't', 0, packet_id, b'x']
}

pub(crate) fn puback(packet_id: u8) -> [u8; 4] {
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
    for (request, answer) in [
        (&publish(1)[..], &puback(1)[..]),
        (&[0x82, 6, 0, 1, 0, 1, b't', 1], &[0x90, 3, 0, 1, 1]),
        (&[0xa2, 5, 0, 1, 0, 1, b't'], &[0xb0, 2, 0, 1]),
    ] {
        let (mut link, mut paho) = Running::connected(Duration::from_secs(2)).await;
        let began = Instant::now();
        paho.write_all(request).await.unwrap();
        expect(&mut link.broker, request).await;
        expect(&mut link.broker, &PINGREQ).await;
        assert!(began.elapsed() < Duration::from_secs(2), "earlier than the keep-alive alone would");
        // The broker is slow, and there.
        link.broker.write_all(&PINGRESP).await.unwrap();
        link.broker.write_all(answer).await.unwrap();
        expect(&mut paho, answer).await;
        // The broker is gone.
        let began = Instant::now();
        paho.write_all(request).await.unwrap();
        assert_eq!(timeout(LIMIT, paho.read(&mut [0; 2])).await.expect("in time").unwrap(), 0);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        drop(paho);
        assert!(matches!(link.end().await, LinkEnd::Silence(_)));
    }
}

#[tokio::test]
async fn a_broker_that_only_sends_still_hears_of_us() {
    let (link, _paho) = Running::connected(Duration::from_secs(1)).await;
    let (mut reader, mut writer) = tokio::io::split(link.broker);
    let chatter = async {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for packet_id in 1..100 {
            tick.tick().await;
            writer.write_all(&publish(packet_id)).await.unwrap();
        }
    };
    tokio::select! {
        () = expect(&mut reader, &PINGREQ) => {}
        () = chatter => panic!("no PINGREQ in ten times the keep-alive"),
    }
}

/// Nagle's algorithm bundles what paho writes. A delayed acknowledgement, 40 ms on Linux, would hold up each second packet
/// here: it follows one that nothing answers.
#[tokio::test]
async fn small_packets_wait_for_no_timer() {
    const MESSAGES: u8 = 50;
    let mut link = Running::start(KEEP_ALIVE).await;
    // As paho makes its sockets.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_nodelay(true).unwrap();
    let mut paho = socket.connect(link.address).await.unwrap();
    link.broker.write_all(&CONNACK).await.unwrap();
    expect(&mut paho, &CONNACK).await;
    assert_eq!(
        paho.nodelay().unwrap(),
        cfg!(not(target_os = "linux")),
        "only where the link can acknowledge at once"
    );
    let began = Instant::now();
    for packet_id in 1..=MESSAGES {
        for packet in [&AT_MOST_ONCE[..], &publish(packet_id)] {
            paho.write_all(packet).await.unwrap();
            expect(&mut link.broker, packet).await;
        }
        link.broker.write_all(&puback(packet_id)).await.unwrap();
        expect(&mut paho, &puback(packet_id)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn pings_of_paho_are_answered() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    paho.write_all(&PINGREQ).await.unwrap();
    expect(&mut paho, &PINGRESP).await;
    // Inside a packet of the broker's, too; it comes when it is whole.
    link.broker.write_all(&puback(1)[..3]).await.unwrap();
    paho.write_all(&[&PINGREQ[..], &AT_MOST_ONCE].concat()).await.unwrap();
    expect(&mut link.broker, &AT_MOST_ONCE).await;
    expect(&mut paho, &PINGRESP).await;
    link.broker.write_all(&puback(1)[3..]).await.unwrap();
    expect(&mut paho, &puback(1)).await;
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn messages_go_to_the_application_and_the_rest_to_paho() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    let large = publish_packet(0x30, "large", None, &[7; 100_000]);
    let sent = [&publish(1)[..], &puback(1), &large, &puback(2), &AT_MOST_ONCE].concat();
    for chunk in sent.chunks(999) {
        link.broker.write_all(chunk).await.unwrap();
    }
    expect(&mut paho, &[puback(1), puback(2)].concat()).await;
    let mut topics = Vec::new();
    for length in [1, 100_000, 1] {
        let message = link.message().await;
        assert_eq!(message.payload.len(), length);
        topics.push(message.topic);
    }
    assert_eq!(topics, ["t", "large", "t"]);
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn no_message_comes_before_the_gate_is_open_or_after_it_is_closed() {
    let mut link = Running::start(KEEP_ALIVE).await;
    let mut paho = TcpStream::connect(link.address).await.unwrap();
    link.broker.write_all(&[&CONNACK[..], &AT_MOST_ONCE, &puback(1)].concat()).await.unwrap();
    // paho has the CONNACK, and gets what it asks for.
    expect(&mut paho, &CONNACK).await;
    paho.write_all(&PINGREQ).await.unwrap();
    expect(&mut paho, &PINGRESP).await;
    assert!(link.events.next().now_or_never().is_none());
    link.open();
    expect(&mut paho, &puback(1)).await;
    assert_eq!(link.message().await.topic, "t");
    drop(link.stop);
    timeout(LIMIT, link.gate.closed()).await.expect("in time");
    drop(paho);
    assert!(matches!(link.end.await.unwrap(), LinkEnd::Stopped));
    assert!(link.events.next().await.is_none());
}

#[tokio::test]
async fn paho_is_answered_at_a_gate_that_will_not_open() {
    let mut link = Running::start(KEEP_ALIVE).await;
    let mut paho = TcpStream::connect(link.address).await.unwrap();
    link.broker.write_all(&[&CONNACK[..], &publish(1)].concat()).await.unwrap();
    expect(&mut paho, &CONNACK).await;
    link.hold = None;
    for _ in 0..2 {
        paho.write_all(&PINGREQ).await.unwrap();
        expect(&mut paho, &PINGRESP).await;
    }
    drop(link.events);
    drop(paho);
    let mut sent = Vec::new();
    link.broker.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, b"", "what nobody was to have is not acknowledged");
    assert!(matches!(link.end.await.unwrap(), LinkEnd::Paho));
}

#[tokio::test]
async fn what_is_published_may_be_larger_than_what_is_taken() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    let large = publish_packet(0x32, "t", Some(1), &vec![7; MAXIMUM_PACKET_SIZE as usize]);
    let (written, ()) = tokio::join!(paho.write_all(&large), expect(&mut link.broker, &large));
    written.unwrap();
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn a_broker_that_takes_a_large_packet_slowly_is_not_given_up() {
    // The link's timeout is half a second.
    let (mut link, mut paho) = Running::connected(Duration::from_secs(1)).await;
    let large = publish_packet(0x32, "t", Some(1), &[7; 2 * BUFFERED]);
    paho.write_all(&large).await.unwrap();
    for part in large.chunks(large.len() / 20) {
        sleep(Duration::from_millis(100)).await;
        expect(&mut link.broker, part).await;
    }
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn a_message_is_acknowledged_when_the_application_is_done_with_it() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    let sent = [&publish(1)[..], &AT_MOST_ONCE, &publish(2), &publish(3)].concat();
    link.broker.write_all(&sent).await.unwrap();
    link.message().await;
    paho.write_all(&publish(9)).await.unwrap();
    expect(&mut link.broker, &publish(9)).await;
    // paho need not write for it. QoS 0 has none.
    link.message().await;
    link.message().await;
    link.message().await;
    expect(&mut link.broker, &[puback(1), puback(2)].concat()).await;
    // Never inside a packet of paho's.
    paho.write_all(&publish(8)[..7]).await.unwrap();
    link.done();
    expect(&mut link.broker, &puback(3)).await;
    paho.write_all(&publish(8)[7..]).await.unwrap();
    expect(&mut link.broker, &publish(8)).await;
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn an_acknowledgement_given_before_a_disconnect_goes_out_before_it() {
    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    for round in 1..=100 {
        link.broker.write_all(&publish(round)).await.unwrap();
        link.message().await;
        link.done();
        // Any packet of paho's: after a DISCONNECT nothing is sent.
        let next = if round < 100 { &AT_MOST_ONCE[..] } else { &DISCONNECT };
        paho.write_all(next).await.unwrap();
        expect(&mut link.broker, &[&puback(round)[..], next].concat()).await;
    }
    link.broker.write_all(&publish(101)).await.unwrap();
    link.message().await;
    link.done();
    drop(paho);
    let mut rest = Vec::new();
    link.broker.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "nothing follows a DISCONNECT");
    assert!(matches!(link.end().await, LinkEnd::Paho));
}

#[tokio::test]
async fn an_acknowledgement_after_its_connection_has_ended_is_void() {
    let (mut earlier, paho) = Running::connected(KEEP_ALIVE).await;
    earlier.broker.write_all(&publish(1)).await.unwrap();
    earlier.message().await;
    drop(paho);
    assert!(matches!((&mut earlier.end).await.unwrap(), LinkEnd::Paho));

    let (mut link, mut paho) = Running::connected(KEEP_ALIVE).await;
    // The broker has used the packet identifier anew.
    link.broker.write_all(&publish(1)).await.unwrap();
    link.message().await;
    earlier.events.next().await;
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
    // The link takes all that it writes meanwhile, several times over the buffer of a socket.
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

    paho.write_all(&PINGREQ).await.unwrap();
    expect(&mut paho, &PINGRESP).await;

    // The application takes one message, and is done with it when it takes the next.
    link.message().await;
    link.message().await;
    expect(&mut paho, &puback(7)).await;
    for _ in 2..=Backlog::MESSAGES {
        link.message().await;
    }
    drop(paho);
    assert!(matches!(link.end().await, LinkEnd::Paho));
}
