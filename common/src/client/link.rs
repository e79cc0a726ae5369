//! The private link: plain MQTT on loopback between paho and our transport.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
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
    /// The broker has not answered a PINGREQ.
    Silence(Duration),
}

impl Link {
    /// How long the shutdown of the broker's side may take.
    const SHUTDOWN: Duration = Duration::from_secs(2);

    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// What paho connects to.
    pub(super) fn uri(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Waits for paho and carries bytes between it and `broker` until one side ends, or the broker says nothing
    /// for `patience` after a PINGREQ. The CONNACK, once seen, goes to `connack`: paho keeps its code but drops
    /// its Reason String.
    pub(super) async fn run(
        self,
        broker: Stream,
        backlog: Arc<Backlog>,
        patience: Duration,
        connack: oneshot::Sender<Connack>,
    ) -> LinkEnd {
        let paho = match self.accept().await {
            Ok(paho) => paho,
            Err(error) => return LinkEnd::Local(error),
        };
        let (from_broker, mut to_broker) = split(broker);
        let (from_paho, to_paho) = split(paho);
        let paho_side = PahoSide { writer: Mutex::new(to_paho), lagging: AtomicBool::new(false) };
        let pulse = Pulse::default();
        let end = {
            let downstream = pin!(downstream(from_broker, &paho_side, &backlog, &pulse, connack));
            let upstream = pin!(upstream(from_paho, &mut to_broker, &paho_side, &pulse));
            tokio::select! {
                end = downstream => end,
                end = upstream => end,
                end = pulse.silence(patience, &paho_side) => end,
            }
        };
        // A close_notify and a WebSocket Close tell the broker that nothing was cut off. Its answer is not
        // waited for.
        let _ = timeout(Self::SHUTDOWN, to_broker.shutdown()).await;
        end
    }

    /// Accepts the connection that this process made and drops all others.
    async fn accept(self) -> io::Result<TcpStream> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            if peer::is_own(peer, self.address)? {
                stream.set_nodelay(true)?;
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
            Err(error) => return LinkEnd::Transport(error),
        }
    }
}

async fn upstream(
    mut paho: ReadHalf<TcpStream>,
    broker: &mut WriteHalf<Stream>,
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
            if let Err(error) = broker.write_all(&segment.bytes).await {
                return LinkEnd::Transport(error);
            }
            // While nothing is read from the broker its PINGRESP cannot come through, and paho would take the
            // silence for a dead connection. The broker still gets the PINGREQ.
            if segment.starts != Some(Packet::Pingreq) {
                continue;
            }
            if !paho_side.lagging.load(Ordering::Acquire) {
                pulse.pinged.notify_one();
            } else if let Err(error) = paho_side.writer.lock().await.write_all(&PINGRESP).await {
                return LinkEnd::Local(error);
            }
        }
        if let Err(error) = broker.flush().await {
            return LinkEnd::Transport(error);
        }
    }
}

/// A TLS record holds at most 16 KiB (RFC 8446 §5.1).
const READ_SIZE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tokio::io::duplex;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_broker_that_does_not_answer_a_ping_is_given_up() {
        let link = Link::open().await.unwrap();
        let address = link.address;
        let (broker, mut far_end) = duplex(1024);
        let (connack, _) = oneshot::channel();
        let patience = Duration::from_millis(300);
        let running = tokio::spawn(link.run(Box::new(broker), Arc::default(), patience, connack));
        let mut paho = TcpStream::connect(address).await.unwrap();
        let mut ping = [0; 2];
        // Answered, twice: the link lives on.
        for _ in 0..2 {
            paho.write_all(&[0xc0, 0]).await.unwrap();
            far_end.read_exact(&mut ping).await.unwrap();
            far_end.write_all(&PINGRESP).await.unwrap();
            paho.read_exact(&mut ping).await.unwrap();
        }
        paho.write_all(&[0xc0, 0]).await.unwrap();
        assert!(matches!(running.await.unwrap(), LinkEnd::Silence(_)));
    }

    #[tokio::test]
    async fn another_process_is_dropped_and_this_one_served() {
        let link = Link::open().await.unwrap();
        let address = link.address;
        let (broker, mut far_end) = duplex(1024);
        let (connack, _) = oneshot::channel();
        let running = tokio::spawn(link.run(Box::new(broker), Arc::default(), PATIENCE, connack));

        // A real other process connects first and reads until it is dropped.
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{} && cat <&3", address.port());
        let foreign = tokio::task::spawn_blocking(move || {
            Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).output()
        });
        let output = timeout(Duration::from_secs(30), foreign).await.expect("dropped").unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || stderr.contains("reset"), "it did connect: {stderr}");
        assert!(output.stdout.is_empty());

        let mut own = TcpStream::connect(address).await.unwrap();
        own.write_all(&[0xc0, 0]).await.unwrap();
        let mut seen = [0; 2];
        far_end.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, [0xc0, 0]);
        drop(own);
        assert!(matches!(running.await.unwrap(), LinkEnd::Paho));
    }

    #[tokio::test]
    async fn a_ping_is_answered_while_the_application_lags() {
        let link = Link::open().await.unwrap();
        let address = link.address;
        let (broker, mut far_end) = duplex(1 << 20);
        let (connack, _) = oneshot::channel();
        let backlog = Arc::new(Backlog::default());
        let running = tokio::spawn(link.run(Box::new(broker), Arc::clone(&backlog), PATIENCE, connack));
        let mut paho = TcpStream::connect(address).await.unwrap();

        // One message more than may wait, then a PINGRESP that waits behind it.
        const MESSAGE: [u8; 6] = [0x30, 4, 0, 1, b't', b'x'];
        let mut sent = MESSAGE.repeat(Backlog::LIMIT + 1);
        sent.extend(PINGRESP);
        far_end.write_all(&sent).await.unwrap();
        let mut received = vec![0; MESSAGE.len() * Backlog::LIMIT];
        paho.read_exact(&mut received).await.unwrap();
        assert!(backlog.is_full());

        paho.write_all(&[0xc0, 0]).await.unwrap();
        let mut pingresp = [0; 2];
        paho.read_exact(&mut pingresp).await.unwrap();
        assert_eq!(pingresp, PINGRESP);
        far_end.read_exact(&mut pingresp).await.unwrap();
        assert_eq!(pingresp, [0xc0, 0], "the broker gets the PINGREQ");

        // The application takes one message, and the next comes through.
        backlog.queued_for_application();
        backlog.taken();
        let mut next = [0; MESSAGE.len()];
        paho.read_exact(&mut next).await.unwrap();
        assert_eq!(next, MESSAGE);
        paho.read_exact(&mut pingresp).await.unwrap();
        drop(paho);
        assert!(matches!(running.await.unwrap(), LinkEnd::Paho));
    }
}
