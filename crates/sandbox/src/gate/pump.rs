//! Moves the bytes of one connection both ways.
//!
//! Each direction is a future of its own and reaches the other by channels only, so that neither waits for the other:
//! a client that does not read cannot keep its own packets from the broker.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, timeout, timeout_at};

use crate::broker::{Broker, Registration, ToClient};
use crate::gate::inbound::{Inbound, Routed};
use crate::gate::outbound::{Delivered, Outbound};
use crate::gate::session::Closing;
use crate::mqtt::frame::{FrameBuffer, FrameError};
use crate::mqtt::{Version, reason, reply};

/// How long the last packet may take to reach a client, and how long its end of the stream is waited for.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// From the client to the broker.
pub(super) struct Inward<'a, S> {
    pub(super) judge: Inbound,
    /// Resolves when the connection has lasted as long as it may.
    pub(super) expiry: Pin<&'a mut (dyn Future<Output = Closing> + Send)>,
    /// How long the client may say nothing.
    pub(super) silence: Duration,
    pub(super) frames: FrameBuffer,
    pub(super) from_client: &'a mut ReadHalf<S>,
    pub(super) to_broker: WriteHalf<DuplexStream>,
    /// Answers of the gate to the client.
    pub(super) packets: Sender<ToClient>,
    /// Acknowledgements of the gate to the broker.
    pub(super) acknowledged: UnboundedReceiver<Vec<u8>>,
}

/// From the broker to the client.
pub(super) struct Outward<'a, S> {
    pub(super) judge: Outbound,
    pub(super) broker: &'a Arc<Broker>,
    pub(super) from_broker: ReadHalf<DuplexStream>,
    pub(super) to_client: WriteHalf<S>,
    /// What a registered client is reached by.
    pub(super) packets: Sender<ToClient>,
    pub(super) to_send: Receiver<ToClient>,
    pub(super) acknowledge: UnboundedSender<Vec<u8>>,
    /// How long the client may take to read what it is sent.
    pub(super) patience: Duration,
}

/// How the inward direction ends.
enum End {
    /// The client has closed its stream, or broken it.
    ClientGone,
    /// The broker takes no more.
    BrokerGone,
    /// The gate ends the connection.
    Closing(Closing, ToClient),
}

/// Runs both directions until the connection is over.
pub(super) async fn run<S>(inward: Inward<'_, S>, outward: Outward<'_, S>, packets: &Sender<ToClient>)
where
    S: AsyncRead + AsyncWrite,
{
    let client_id = inward.judge.session().client_id.clone();
    let mut outward = std::pin::pin!(outward.run());
    let end = tokio::select! {
        end = inward.run() => end,
        () = &mut outward => return,
    };
    let rest = async {
        match end {
            End::ClientGone => {}
            End::BrokerGone => outward.await,
            End::Closing(Closing { reason, why }, farewell) => {
                log::info!("{client_id:?} is disconnected: {why} (0x{reason:02X})");
                // The queue may be full until `outward` goes on; when that ends first, the client is gone.
                let _ = tokio::join!(packets.send(farewell), outward);
            }
        }
    };
    // What the client does not take in time, it does not get.
    let _ = timeout(CLOSE_TIMEOUT, rest).await;
}

/// Reads until the client closes its side: closing a socket with unread bytes would reset the connection, and the
/// client could lose the last packet.
pub(super) async fn drain<S: AsyncRead>(from_client: &mut ReadHalf<S>) {
    let mut sink = vec![0; 8 * 1024];
    let rest = async { while from_client.read(&mut sink).await.is_ok_and(|count| count > 0) {} };
    // Whatever is left after that time is the client's loss.
    let _ = timeout(CLOSE_TIMEOUT, rest).await;
}

impl<S: AsyncRead> Inward<'_, S> {
    async fn run(mut self) -> End {
        let silence = self.silence;
        let mut deadline = Instant::now() + silence;
        loop {
            let (mut routed, mut end) = (Routed::default(), None);
            while end.is_none() {
                match self.frames.next() {
                    Ok(Some(frame)) => {
                        deadline = Instant::now() + silence;
                        end = self.judge.judge(&frame, &mut routed).err();
                    }
                    Ok(None) => break,
                    Err(FrameError::Malformed) => {
                        end = Some(Closing::new(reason::MALFORMED_PACKET, "a malformed packet"));
                    }
                    Err(FrameError::TooLarge) => {
                        end = Some(Closing::new(reason::PACKET_TOO_LARGE, "a packet that is too large"));
                    }
                }
            }
            for answer in routed.to_client {
                match self.packets.try_send(answer) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_)) => {
                        end = Some(Closing::new(reason::QUOTA_EXCEEDED, "a client that does not read"));
                        break;
                    }
                    Err(TrySendError::Closed(_)) => return End::ClientGone,
                }
            }
            if !routed.to_broker.is_empty() && self.to_broker.write_all(&routed.to_broker).await.is_err() {
                return End::BrokerGone;
            }
            if let Some(closing) = end {
                return self.close(closing);
            }
            tokio::select! {
                read = timeout_at(deadline, self.frames.fill(self.from_client)) => match read {
                    Ok(Ok(0) | Err(_)) => return End::ClientGone,
                    Ok(Ok(_)) => {}
                    Err(_) => return self.close(Closing::new(reason::KEEP_ALIVE_TIMEOUT, "the keep-alive time is over")),
                },
                closing = &mut self.expiry => return self.close(closing),
                Some(packets) = self.acknowledged.recv() => {
                    if self.to_broker.write_all(&packets).await.is_err() {
                        return End::BrokerGone;
                    }
                }
            }
        }
    }
}

impl<S> Inward<'_, S> {
    fn close(&self, closing: Closing) -> End {
        let packet = match self.judge.session().version {
            Version::V5 => reply::disconnect(closing.reason, None),
            Version::V311 => Vec::new(),
        };
        End::Closing(closing, self.judge.answer(packet, true))
    }
}

impl<S: AsyncWrite> Outward<'_, S> {
    async fn run(mut self) {
        // The broker is trusted to keep its packets to what the client asked for.
        let mut frames = FrameBuffer::new(usize::MAX);
        let mut registration = None;
        let mut open = true;
        while open {
            tokio::select! {
                Some(message) = self.to_send.recv(), if self.judge.has_room() => self.judge.queue(message),
                read = frames.fill(&mut self.from_broker) => open = matches!(read, Ok(1..)),
            }
            open &= matches!(self.deliver(&mut frames, &mut registration).await, Ok(false));
        }
        drop(registration);
        // A client that has gone already cannot be told.
        let _ = timeout(CLOSE_TIMEOUT, self.to_client.shutdown()).await;
    }

    /// Passes on what has come; returns whether that was the last.
    async fn deliver(
        &mut self,
        frames: &mut FrameBuffer,
        registration: &mut Option<Registration>,
    ) -> Result<bool, Gone> {
        // The answers to packets that the broker has seen are here before the broker's own.
        while self.judge.has_room()
            && let Ok(message) = self.to_send.try_recv()
        {
            self.judge.queue(message);
        }
        let mut delivered = Delivered::default();
        self.judge.release(&mut delivered);
        while !delivered.last
            && let Some(frame) = frames.next().map_err(|_| Gone)?
        {
            self.judge.judge(&frame, &mut delivered).map_err(|_| Gone)?;
        }
        if self.judge.connected() && registration.is_none() {
            let session = self.judge.session();
            log::info!("{:?} connected", session.client_id);
            *registration =
                Some(self.broker.register(&session.client_id, session.version, self.packets.clone()));
        }
        if !delivered.to_broker.is_empty() {
            self.acknowledge.send(delivered.to_broker).map_err(|_| Gone)?;
        }
        if delivered.last {
            // What the client does not take in time, it does not get.
            timeout(CLOSE_TIMEOUT, self.send(&delivered.to_client)).await.map_err(|_| Gone)??;
        } else if !delivered.to_client.is_empty() {
            let sent = timeout(self.patience, self.send(&delivered.to_client)).await;
            sent.map_err(|_| {
                log::info!("{:?} does not read: disconnected", self.judge.session().client_id);
                Gone
            })??;
        }
        Ok(delivered.last)
    }

    async fn send(&mut self, packets: &[u8]) -> Result<(), Gone> {
        self.to_client.write_all(packets).await.map_err(|_| Gone)?;
        self.to_client.flush().await.map_err(|_| Gone)
    }
}

/// One of the ends is gone.
struct Gone;
