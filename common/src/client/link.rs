//! The private link: plain MQTT on loopback between paho and our transport.
//!
//! paho's writes to it must never fail. A PUBLISH of QoS 1 whose write ends in a socket error is freed by paho's
//! command queue and stays in its list of messages in flight (`MQTTAsync_processCommand` in paho C 1.3.16): the next
//! use of it corrupts the heap. So the link never just closes its socket. It ends its own direction, upon which paho
//! closes the connection in its own time, and until then reads what paho still writes.

use std::convert::Infallible;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{SockRef, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, copy, sink, split};
use tokio::join;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::time::{sleep, timeout};

use super::backlog::Backlog;
use super::frames::{Connack, Decoder, PINGRESP, Packet, Violation};
use super::peer;
use crate::transport::Stream;

/// A port on 127.0.0.1 for one connection of paho's.
#[derive(Debug)]
pub(super) struct Link {
    listener: TcpListener,
    address: SocketAddr,
    socket: LinkSocket,
}

/// A second hold on the link's socket, so that it outlives a runtime that is dropped with the link's task in it.
#[derive(Debug, Clone, Default)]
pub(super) struct LinkSocket(Arc<OnceLock<Socket>>);

impl LinkSocket {
    /// Ends the link's direction and reads until paho has closed its own, on a thread that may wait.
    pub(super) fn close(&self, limit: Duration) {
        let Some(mut socket) = self.0.get() else { return };
        let deadline = Instant::now() + limit;
        // It may be closed already.
        let _ = socket.shutdown(Shutdown::Write);
        let mut buffer = [0; READ_SIZE];
        while Instant::now() < deadline {
            match socket.read(&mut buffer) {
                Ok(1..) => {}
                // The socket stays non-blocking: the link's task may be reading, too.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// Why a link ended.
#[derive(Debug)]
pub(super) enum LinkEnd {
    /// paho closed its side: after a DISCONNECT, or when it gave up.
    Paho,
    /// The broker closed the connection.
    BrokerClosed,
    /// The transport below failed.
    Transport(io::Error),
    /// What the broker sent cannot be handed to paho.
    Violation(Violation),
    /// The link's own socket failed.
    Local(io::Error),
    /// The broker has not answered a PINGREQ, or takes no more bytes.
    Silence(Duration),
    /// The client needs it no more.
    Stopped,
}

impl Link {
    /// How long the shutdown of the broker's side may take.
    const SHUTDOWN: Duration = Duration::from_secs(2);

    /// How long the broker's last words may take once it takes no more.
    const LAST_WORDS: Duration = Duration::from_secs(1);

    /// How long paho may take to close its side. It does so at once; this bounds what cannot happen.
    const DRAIN: Duration = Duration::from_secs(30);

    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, socket: LinkSocket::default() })
    }

    /// A hold on the socket that the link will have once paho has connected.
    pub(super) fn socket(&self) -> LinkSocket {
        self.socket.clone()
    }

    /// What paho connects to.
    pub(super) fn uri(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Waits for paho and carries bytes between it and `broker` until one side ends, or the broker says nothing
    /// for `patience` after a PINGREQ. The CONNACK, once seen, goes to `connack`: paho keeps its code but drops
    /// its Reason String. When the other end of `stop` is dropped, the link ends.
    pub(super) async fn run(
        self,
        broker: Stream,
        backlog: Arc<Backlog>,
        patience: Duration,
        connack: oneshot::Sender<Connack>,
        mut stop: oneshot::Receiver<Infallible>,
    ) -> LinkEnd {
        let accepted = tokio::select! {
            accepted = self.accept() => accepted,
            _ = &mut stop => return LinkEnd::Stopped,
        };
        let paho = match accepted {
            Ok(paho) => paho,
            Err(error) => return LinkEnd::Local(error),
        };
        let (from_broker, mut to_broker) = split(broker);
        let (mut from_paho, to_paho) = split(paho);
        let paho_side = PahoSide { writer: Mutex::new(to_paho), lagging: AtomicBool::new(false) };
        let pulse = Pulse::default();
        let end = {
            let mut downstream = pin!(downstream(from_broker, &paho_side, &backlog, &pulse, connack));
            let upstream = pin!(upstream(&mut from_paho, &mut to_broker, patience, &paho_side, &pulse));
            tokio::select! {
                end = &mut downstream => end,
                end = upstream => match end {
                    // Why the broker takes no more may be on its way: a DISCONNECT, or a TLS alert.
                    LinkEnd::Transport(_) => timeout(Self::LAST_WORDS, downstream).await.unwrap_or(end),
                    end => end,
                },
                end = pulse.silence(patience, &paho_side) => end,
                _ = stop => LinkEnd::Stopped,
            }
        };
        // A close_notify and a WebSocket Close tell the broker that nothing was cut off. Its answer is not
        // waited for.
        let broker = timeout(Self::SHUTDOWN, to_broker.shutdown());
        let paho = timeout(Self::DRAIN, async {
            // A side that is closed already needs neither.
            let _ = paho_side.writer.into_inner().shutdown().await;
            let _ = copy(&mut from_paho, &mut sink()).await;
        });
        let _ = join!(broker, paho);
        end
    }

    /// Accepts the connection that this process made and drops all others.
    async fn accept(self) -> io::Result<TcpStream> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            if peer::is_own(peer, self.address)? {
                stream.set_nodelay(true)?;
                // Set once: this returns.
                let _ = self.socket.0.set(SockRef::from(&stream).try_clone()?);
                return Ok(stream);
            }
            log::warn!("dropped a connection of another process to the private link (from {peer})");
        }
    }
}

struct PahoSide {
    writer: Mutex<WriteHalf<TcpStream>>,
    lagging: AtomicBool,
}

/// Whether the broker is still there. paho notices a dead one after two and a half times the keep-alive, which is
/// longer than most applications wait for an acknowledgement.
#[derive(Default)]
struct Pulse {
    pinged: Notify,
    received: AtomicUsize,
}

impl Pulse {
    /// Resolves when nothing has come for `patience` after a PINGREQ, although it was read.
    async fn silence(&self, patience: Duration, paho: &PahoSide) -> LinkEnd {
        loop {
            self.pinged.notified().await;
            let before = self.received.load(Ordering::Relaxed);
            sleep(patience).await;
            let read = !paho.lagging.load(Ordering::Acquire);
            if read && self.received.load(Ordering::Relaxed) == before {
                return LinkEnd::Silence(patience);
            }
        }
    }
}

async fn downstream(
    mut broker: ReadHalf<Stream>,
    paho: &PahoSide,
    backlog: &Backlog,
    pulse: &Pulse,
    connack: oneshot::Sender<Connack>,
) -> LinkEnd {
    let mut connack = Some(connack);
    let mut decoder = Decoder::default();
    loop {
        loop {
            let segment = match decoder.next_segment() {
                Ok(Some(segment)) => segment,
                Ok(None) => break,
                Err(violation) => return LinkEnd::Violation(violation),
            };
            match segment.starts {
                Some(Packet::Connack(body)) => {
                    if let Some((sender, seen)) = connack.take().zip(Connack::parse(body)) {
                        // The receiver is gone only when the attempt has been given up.
                        let _ = sender.send(seen);
                    }
                }
                Some(Packet::Publish) => {
                    if backlog.is_full() {
                        log::debug!("the application lags: not reading from the broker");
                        paho.lagging.store(true, Ordering::Release);
                        backlog.room().await;
                        // What waited meanwhile may be the answer to a PINGREQ.
                        pulse.received.fetch_add(1, Ordering::Relaxed);
                        paho.lagging.store(false, Ordering::Release);
                    }
                    backlog.handed_to_paho();
                }
                Some(Packet::Pingreq | Packet::Other) | None => {}
            }
            if let Err(error) = paho.writer.lock().await.write_all(&segment.bytes).await {
                return LinkEnd::Local(error);
            }
        }
        decoder.buffer().reserve(READ_SIZE);
        match broker.read_buf(decoder.buffer()).await {
            Ok(0) => return LinkEnd::BrokerClosed,
            Ok(_) => {
                pulse.received.fetch_add(1, Ordering::Relaxed);
            }
            // Many servers close without a close_notify (RFC 8446 §6.1).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return LinkEnd::BrokerClosed,
            Err(error) => return LinkEnd::Transport(error),
        }
    }
}

async fn upstream(
    paho: &mut ReadHalf<TcpStream>,
    broker: &mut WriteHalf<Stream>,
    patience: Duration,
    paho_side: &PahoSide,
    pulse: &Pulse,
) -> LinkEnd {
    let mut decoder = Decoder::default();
    loop {
        decoder.buffer().reserve(READ_SIZE);
        match paho.read_buf(decoder.buffer()).await {
            Ok(0) => return LinkEnd::Paho,
            Ok(_) => {}
            Err(error) => return LinkEnd::Local(error),
        }
        loop {
            let segment = match decoder.next_segment() {
                Ok(Some(segment)) => segment,
                Ok(None) => break,
                // paho checks topics itself; whatever else it sends is the broker's to judge.
                Err(violation) => return LinkEnd::Violation(violation),
            };
            // A PINGREQ would wait behind what cannot be sent, so this has a limit of its own.
            if let Err(end) = within(patience, broker.write_all(&segment.bytes)).await {
                return end;
            }
            // While nothing is read from the broker its PINGRESP cannot come through, and paho would take the
            // silence for a dead connection. The broker still gets the PINGREQ.
            if segment.starts != Some(Packet::Pingreq) {
                continue;
            }
            // Under the lock, so that a PINGRESP never lands inside a packet: while this lags, none is under way.
            let mut writer = paho_side.writer.lock().await;
            if !paho_side.lagging.load(Ordering::Acquire) {
                pulse.pinged.notify_one();
            } else if let Err(error) = writer.write_all(&PINGRESP).await {
                return LinkEnd::Local(error);
            }
        }
        if let Err(end) = within(patience, broker.flush()).await {
            return end;
        }
    }
}

/// A write to the broker, which must not take longer than an answer of its may.
async fn within(patience: Duration, write: impl Future<Output = io::Result<()>>) -> Result<(), LinkEnd> {
    match timeout(patience, write).await {
        Ok(outcome) => outcome.map_err(LinkEnd::Transport),
        Err(_) => Err(LinkEnd::Silence(patience)),
    }
}

/// A TLS record holds at most 16 KiB (RFC 8446 §5.1).
const READ_SIZE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A link that runs, with a broker that the test plays.
    struct Running {
        address: SocketAddr,
        broker: DuplexStream,
        end: JoinHandle<LinkEnd>,
        _stop: oneshot::Sender<Infallible>,
    }

    impl Running {
        async fn start(patience: Duration, backlog: &Arc<Backlog>) -> Self {
            let link = Link::open().await.unwrap();
            let address = link.address;
            let (near_end, broker) = duplex(1 << 20);
            let (connack, _) = oneshot::channel();
            let (stop, stopped) = oneshot::channel();
            let run = link.run(Box::new(near_end), Arc::clone(backlog), patience, connack, stopped);
            Self { address, broker, end: tokio::spawn(run), _stop: stop }
        }
    }

    #[tokio::test]
    async fn a_broker_that_does_not_answer_a_ping_is_given_up() {
        let mut link = Running::start(Duration::from_millis(300), &Arc::default()).await;
        let mut paho = TcpStream::connect(link.address).await.unwrap();
        let mut ping = [0; 2];
        // Answered, twice: the link lives on.
        for _ in 0..2 {
            paho.write_all(&[0xc0, 0]).await.unwrap();
            link.broker.read_exact(&mut ping).await.unwrap();
            link.broker.write_all(&PINGRESP).await.unwrap();
            paho.read_exact(&mut ping).await.unwrap();
        }
        paho.write_all(&[0xc0, 0]).await.unwrap();
        assert_eq!(paho.read(&mut ping).await.unwrap(), 0);
        drop(paho);
        assert!(matches!(link.end.await.unwrap(), LinkEnd::Silence(_)));
    }

    #[tokio::test]
    async fn paho_can_write_until_it_closes() {
        let link = Running::start(PATIENCE, &Arc::default()).await;
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
        let mut link = Running::start(PATIENCE, &Arc::default()).await;

        // A real other process connects first and reads until it is dropped.
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{} && cat <&3", link.address.port());
        let foreign = tokio::task::spawn_blocking(move || {
            Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).output()
        });
        let output = timeout(Duration::from_secs(30), foreign).await.expect("dropped").unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || stderr.contains("reset"), "it did connect: {stderr}");
        assert!(output.stdout.is_empty());

        let mut own = TcpStream::connect(link.address).await.unwrap();
        own.write_all(&[0xc0, 0]).await.unwrap();
        let mut seen = [0; 2];
        link.broker.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, [0xc0, 0]);
        drop(own);
        assert!(matches!(link.end.await.unwrap(), LinkEnd::Paho));
    }

    #[tokio::test]
    async fn a_ping_is_answered_while_the_application_lags() {
        let backlog = Arc::new(Backlog::default());
        let mut link = Running::start(PATIENCE, &backlog).await;
        let mut paho = TcpStream::connect(link.address).await.unwrap();

        // One message more than may wait, then a PINGRESP that waits behind it.
        const MESSAGE: [u8; 6] = [0x30, 4, 0, 1, b't', b'x'];
        let mut sent = MESSAGE.repeat(Backlog::LIMIT + 1);
        sent.extend(PINGRESP);
        link.broker.write_all(&sent).await.unwrap();
        let mut received = vec![0; MESSAGE.len() * Backlog::LIMIT];
        paho.read_exact(&mut received).await.unwrap();
        assert!(backlog.is_full());

        paho.write_all(&[0xc0, 0]).await.unwrap();
        let mut pingresp = [0; 2];
        paho.read_exact(&mut pingresp).await.unwrap();
        assert_eq!(pingresp, PINGRESP);
        link.broker.read_exact(&mut pingresp).await.unwrap();
        assert_eq!(pingresp, [0xc0, 0], "the broker gets the PINGREQ");

        // The application takes one message, and the next comes through.
        backlog.queued_for_application();
        backlog.taken();
        let mut next = [0; MESSAGE.len()];
        paho.read_exact(&mut next).await.unwrap();
        assert_eq!(next, MESSAGE);
        paho.read_exact(&mut pingresp).await.unwrap();
        drop(paho);
        assert!(matches!(link.end.await.unwrap(), LinkEnd::Paho));
    }
}
