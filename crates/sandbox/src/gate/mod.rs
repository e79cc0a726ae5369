//! Stands between an authenticated stream and its handler in the broker, looks at each MQTT packet both ways, and
//! enforces what AWS IoT Core enforces: the principal's policies and the limits.
//!
//! [`admission`], [`inbound`] and [`outbound`] decide on packets and do no I/O; [`pump`] moves the bytes.

mod admission;
mod filter;
mod identity;
mod inbound;
mod lease;
mod outbound;
mod pump;
mod session;
#[cfg(test)]
mod tests;

use std::future;
use std::pin::pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::account::Account;
use crate::broker::Broker;
use crate::limits;
use crate::mqtt::frame::{Frame, FrameBuffer, kind};

pub(crate) use self::identity::{Authentication, Client};

use self::admission::{Admission, Refusal};
use self::inbound::Inbound;
use self::outbound::{Outbound, QUEUE};
use self::pump::CLOSE_TIMEOUT;

/// Serves one connection to its end.
pub(crate) async fn serve<S>(stream: S, client: Client, account: &Account, broker: &Arc<Broker>)
where
    S: AsyncRead + AsyncWrite + Send,
{
    let peer = client.peer;
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let mut frames = FrameBuffer::new(limits::PACKET);
    let connect = match timeout(account.patience.connect, connect_packet(&mut frames, &mut from_client)).await
    {
        Ok(Some(frame)) => frame,
        Ok(None) => return log::info!("{peer}: closed without a CONNECT"),
        Err(_) => return log::info!("{peer}: no CONNECT in time"),
    };
    let Admission { session, connect, lease } = match admission::admit(connect.body(), client, account) {
        Ok(admission) => admission,
        Err(Refusal { packet, why }) => {
            log::info!("{peer}: CONNECT refused: {why}");
            let farewell = async {
                to_client.write_all(&packet).await?;
                to_client.shutdown().await
            };
            if let Ok(Ok(())) = timeout(CLOSE_TIMEOUT, farewell).await {
                pump::drain(&mut from_client).await;
            }
            return;
        }
    };

    let session = Arc::new(session);
    let (from_broker, mut to_broker) = tokio::io::split(broker.open(peer, Arc::clone(&session.permissions)));
    if let Err(error) = to_broker.write_all(&connect).await {
        return log::warn!("{peer}: the broker took no CONNECT: {error}");
    }
    let expiry = async {
        match lease {
            Some(lease) => lease.end(&account.authorizers, account.patience.authorizer_second).await,
            None => future::pending().await,
        }
    };
    let (packets, to_send) = mpsc::channel(QUEUE);
    // Holds no more than the messages that the broker leaves unacknowledged.
    let (acknowledge, acknowledged) = mpsc::unbounded_channel();
    let inbound = pump::Inward {
        judge: Inbound::new(Arc::clone(&session), account.recorders.clone()),
        expiry: pin!(expiry),
        silence: limits::silence(session.keep_alive, account.patience.keep_alive_second),
        frames,
        from_client: &mut from_client,
        to_broker,
        packets: packets.clone(),
        acknowledged,
    };
    let outbound = pump::Outward {
        judge: Outbound::new(Arc::clone(&session)),
        broker,
        from_broker,
        to_client,
        packets: packets.clone(),
        to_send,
        acknowledge,
        patience: account.patience.send,
    };
    pump::run(inbound, outbound, &packets).await;
    pump::drain(&mut from_client).await;
    log::info!("{peer}: {:?} disconnected", session.client_id);
}

/// The CONNECT, or `None` when the stream ends before it or begins with something else.
async fn connect_packet<S: AsyncRead>(frames: &mut FrameBuffer, source: &mut ReadHalf<S>) -> Option<Frame> {
    loop {
        // What is no CONNECT is not waited for: another protocol's bytes may look like a long packet.
        if frames.first_byte().is_some_and(|byte| byte != kind::CONNECT << 4) {
            return None;
        }
        if let Some(frame) = frames.next().ok()? {
            return Some(frame);
        }
        if frames.fill(source).await.ok()? == 0 {
            return None;
        }
    }
}
