//! From paho to the broker: what paho writes, save for its acknowledgements and pings, and the link's own.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::frames::{Decoder, PINGREQ_PACKET, Packet, puback};
use super::link::{LinkEnd, READ_SIZE};
use super::pulse::{Beat, Pulse};
use super::receipt::Acknowledged;
use crate::transport::Stream;

/// Carries bytes until one side ends or the broker is found dead. A PINGREQ of paho's goes to `pinged` instead.
pub(super) async fn upstream(
    paho: &mut ReadHalf<TcpStream>,
    broker: &mut WriteHalf<Stream>,
    mut acknowledged: Acknowledged,
    pulse: &Pulse,
    pinged: &Notify,
) -> LinkEnd {
    let mut decoder = Decoder::default();
    // One write for all that is there: each is a TLS record and a call of the kernel's.
    let mut outgoing = BytesMut::new();
    let mut withheld = false;
    let mut disconnecting = false;
    loop {
        // Nothing may follow a DISCONNECT (MQTT 5.0 §3.14.4).
        let may_insert = decoder.is_between_packets() && !disconnecting;
        decoder.buffer().reserve(READ_SIZE);
        tokio::select! {
            Some(packet_id) = acknowledged.recv(), if may_insert => {
                outgoing.extend_from_slice(&puback(packet_id));
            }
            beat = pulse.due(), if may_insert => match beat {
                Beat::Ping => {
                    outgoing.extend_from_slice(&PINGREQ_PACKET);
                    pulse.pinged();
                }
                Beat::Silence(after) => return LinkEnd::Silence(after),
            },
            read = paho.read_buf(decoder.buffer()) => match read {
                Ok(0) => return LinkEnd::Paho,
                Ok(_) => {}
                Err(error) => return LinkEnd::Local(error),
            },
        }
        // In front of what paho has written, which may be a DISCONNECT.
        if may_insert {
            while let Ok(packet_id) = acknowledged.try_recv() {
                outgoing.extend_from_slice(&puback(packet_id));
            }
        }
        loop {
            let segment = match decoder.next_segment() {
                Ok(Some(segment)) => segment,
                Ok(None) => break,
                // paho checks topics itself; whatever else it sends is the broker's to judge.
                Err(violation) => return LinkEnd::Violation(violation),
            };
            if let Some(packet) = segment.starts {
                withheld = matches!(packet, Packet::Puback | Packet::Pingreq);
                match packet {
                    Packet::Pingreq => pinged.notify_one(),
                    Packet::Publish(Some(_), _) | Packet::Subscription => pulse.asked(),
                    Packet::Disconnect => disconnecting = true,
                    _ => {}
                }
            }
            if !withheld {
                outgoing.extend_from_slice(&segment.bytes);
            }
        }
        if outgoing.is_empty() {
            continue;
        }
        pulse.sent(outgoing.len());
        // A PINGREQ would wait behind what cannot be sent, so this has a limit of its own.
        if let Err(end) = within(pulse.patience(), broker.write_all_buf(&mut outgoing)).await {
            return end;
        }
        if let Err(end) = within(pulse.patience(), broker.flush()).await {
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
