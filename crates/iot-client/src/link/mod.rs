//! The private link: plain MQTT on loopback between paho and our transport. Messages for the application leave it
//! here (see [`inbox`]); all else goes to paho.
//!
//! paho's writes to it must never fail. A PUBLISH of QoS 1 whose write ends in a socket error is freed by paho's
//! command queue and stays in its list of messages in flight (`MQTTAsync_processCommand` in paho C 1.3.16): the next
//! use of it corrupts the heap. So the link never just closes its socket. It ends its own direction, upon which paho
//! closes the connection in its own time, and until then reads what paho still writes.

mod answers;
pub(crate) mod backlog;
mod downstream;
pub(crate) mod end;
mod exchange;
pub(crate) mod inbox;
pub(crate) mod keep_alive;
mod own_socket;
pub(crate) mod receipt;
pub(crate) mod socket;
pub(crate) mod task;
#[cfg(test)]
pub(crate) mod tests;
mod upstream;
#[cfg(test)]
mod violation_tests;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use iot_transport::{Stream, panics};
use tokio::io::{AsyncWriteExt, copy, sink, split};
use tokio::join;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::MqttVersion;
use crate::events::EventSender;
use crate::link::answers::Unanswered;
use crate::link::downstream::downstream;
use crate::link::end::LinkEnd;
use crate::link::exchange::Exchange;
use crate::link::inbox::{Acknowledged, Gate, Hold, Inbox};
use crate::link::keep_alive::KeepAlive;
use crate::link::socket::LinkSocket;
use crate::link::upstream::upstream;
use crate::session::SessionStart;
use crate::wire::connack::Connack;

/// A port on 127.0.0.1 for one connection of paho's.
#[derive(Debug)]
pub(crate) struct Link {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    socket: LinkSocket,
    version: MqttVersion,
    session: SessionStart,
    inbox: Inbox,
    acknowledged: Acknowledged,
}

impl Link {
    /// The time that the shutdown of the broker's side may take.
    const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

    /// The time for the broker's last words, once it takes no more bytes.
    const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

    /// The time for paho to close its side. It does so at once; this bounds what cannot happen.
    const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

    /// Opens a port, for a connection that asks for `session`, and whose messages go among `events` once the hold is
    /// released.
    pub(crate) async fn open(
        version: MqttVersion,
        session: SessionStart,
        events: EventSender,
    ) -> io::Result<(Self, Hold, Gate)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (inbox, hold, gate, acknowledged) = inbox::inbox(events);
        let socket = LinkSocket::default();
        Ok((Self { listener, address, socket, version, session, inbox, acknowledged }, hold, gate))
    }

    /// A hold on the socket that the link will have once paho has connected.
    pub(crate) fn socket(&self) -> LinkSocket {
        self.socket.clone()
    }

    /// The address for paho to connect to.
    pub(crate) fn uri(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Waits for paho and carries bytes between it and `broker` until one side ends, or `keep_alive` finds that the
    /// broker has died. The CONNACK goes to `connack`. When the other end of `stop` is dropped, the link ends.
    pub(crate) async fn run(
        self,
        broker: Stream,
        keep_alive: KeepAlive,
        connack: oneshot::Sender<Connack>,
        stop: oneshot::Receiver<Infallible>,
    ) -> LinkEnd {
        let socket = self.socket();
        match AssertUnwindSafe(self.carry(broker, keep_alive, connack, stop)).catch_unwind().await {
            Ok(end) => end,
            Err(panic) => {
                // paho would wait for a link that has gone.
                socket.end();
                LinkEnd::Panicked(panics::message(&*panic))
            }
        }
    }

    async fn carry(
        self,
        broker: Stream,
        keep_alive: KeepAlive,
        connack: oneshot::Sender<Connack>,
        mut stop: oneshot::Receiver<Infallible>,
    ) -> LinkEnd {
        let accepted = tokio::select! {
            accepted = accept(&self.listener, self.address) => accepted,
            _ = &mut stop => return LinkEnd::Stopped,
        };
        let paho = match accepted.and_then(|paho| self.socket.hold(paho)) {
            Ok(paho) => paho,
            Err(error) => return LinkEnd::Local(error),
        };
        // Nobody else is to connect.
        drop(self.listener);
        let (from_broker, mut to_broker) = split(broker);
        let (mut from_paho, mut to_paho) = split(paho);
        let (version, session) = (self.version, self.session);
        let (pinged, unanswered) = (Notify::new(), Unanswered::default());
        let exchange = Exchange { version, session, keep_alive, pinged, unanswered };
        let end = {
            let mut downstream = pin!(downstream(from_broker, &mut to_paho, self.inbox, &exchange, connack));
            let acknowledge = || self.socket.acknowledge();
            let upstream =
                pin!(upstream(&mut from_paho, acknowledge, &mut to_broker, self.acknowledged, &exchange));
            tokio::select! {
                end = &mut downstream => end,
                end = upstream => match end {
                    // Why the broker takes no more may be on its way: a DISCONNECT, or a TLS alert.
                    LinkEnd::Transport(_) => match timeout(Self::LAST_WORDS_TIMEOUT, downstream).await {
                        // A socket tells of its reset once. The write has heard it, and to the read it is an end.
                        Ok(LinkEnd::Truncated) | Err(_) => end,
                        Ok(last_words) => last_words,
                    },
                    end => end,
                },
                _ = stop => LinkEnd::Stopped,
            }
        };
        // A close_notify and a WebSocket Close tell the broker that nothing was cut off. Its answer is not
        // waited for.
        let broker = timeout(Self::SHUTDOWN_TIMEOUT, to_broker.shutdown());
        let paho = timeout(Self::DRAIN_TIMEOUT, async {
            // A side that is closed already needs neither.
            let _ = to_paho.shutdown().await;
            let _ = copy(&mut from_paho, &mut sink()).await;
        });
        let _ = join!(broker, paho);
        end
    }
}

/// Accepts the connection that this process made and drops all others.
async fn accept(listener: &TcpListener, address: SocketAddr) -> io::Result<TcpStream> {
    loop {
        let (stream, peer) = listener.accept().await?;
        if let Some(paho) = own_socket::find(peer, address)? {
            stream.set_nodelay(true)?;
            // paho writes each packet by itself, and each write alone would take its own way through the whole of TCP.
            // Together they take it once. The first waits for nothing; the others for `LinkSocket::acknowledge`.
            paho.bundle_writes()?;
            return Ok(stream);
        }
        log::warn!("dropped a connection of another process to the private link (from {peer})");
    }
}
