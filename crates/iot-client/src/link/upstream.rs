//! From paho to the broker: what paho writes, save for its pings, and the acknowledgements and pings of the link.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use iot_transport::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::link::end::LinkEnd;
use crate::link::exchange::Exchange;
use crate::link::inbox::Acknowledged;
use crate::link::keep_alive::Due;
use crate::link::socket::READ_SIZE;
use crate::wire::fields::Fields;
use crate::wire::frames::{Decoder, Kind, PINGREQ_PACKET};
use crate::wire::publish::{puback, qos};

/// Carries packets until one side ends or the broker is found dead. A PINGREQ of paho's is answered on this side.
/// `acknowledge` tells paho's socket that what it sent has been read.
pub(crate) async fn upstream(
    paho: &mut ReadHalf<TcpStream>,
    acknowledge: impl Fn(),
    broker: &mut WriteHalf<Stream>,
    mut acknowledged: Acknowledged,
    exchange: &Exchange,
) -> LinkEnd {
    let Exchange { keep_alive, pinged, unanswered, .. } = exchange;
    let mut decoder = Decoder::new(usize::MAX);
    // One write for all that is there: each is a TLS record and a call of the kernel's.
    let mut outgoing = BytesMut::new();
    // Nothing may follow a DISCONNECT (MQTT 5.0 §3.14.4).
    let mut may_insert = true;
    loop {
        decoder.buffer().reserve(READ_SIZE);
        acknowledge();
        tokio::select! {
            Some(packet_id) = acknowledged.recv(), if may_insert => {
                outgoing.extend_from_slice(&puback(packet_id));
            }
            due = keep_alive.due(), if may_insert => match due {
                Due::Ping => {
                    outgoing.extend_from_slice(&PINGREQ_PACKET);
                    keep_alive.pinged();
                }
                Due::Silence(after) => return LinkEnd::Silence(after),
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
            let packet = match decoder.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                // paho checks what it sends; this cannot happen.
                Err(violation) => return LinkEnd::Violation(violation),
            };
            match packet.kind() {
                Kind::Pingreq => {
                    pinged.notify_one();
                    continue;
                }
                Kind::Publish if qos(packet.flags()) == 0 => {}
                kind @ (Kind::Publish | Kind::Subscribe | Kind::Unsubscribe) => {
                    if let Some((packet_id, answer)) = request(kind, packet.body()) {
                        unanswered.asked(packet_id, answer);
                    }
                    keep_alive.asked();
                }
                Kind::Disconnect => may_insert = false,
                _ => {}
            }
            outgoing.extend_from_slice(&packet.bytes);
        }
        if outgoing.is_empty() {
            continue;
        }
        keep_alive.sent(outgoing.len());
        if let Err(end) = send(&mut outgoing, broker, keep_alive.write_timeout()).await {
            return end;
        }
    }
}

/// The packet identifier of a request, and the kind of its answer.
fn request(kind: Kind, body: &[u8]) -> Option<(u16, Kind)> {
    let mut fields = Fields::new(body);
    let answer = match kind {
        Kind::Publish => {
            // The topic comes first.
            fields.binary().ok()?;
            Kind::Puback
        }
        Kind::Subscribe => Kind::Suback,
        _ => Kind::Unsuback,
    };
    Some((fields.two_bytes().ok()?, answer))
}

/// Sends everything. A PINGREQ would wait behind what cannot be sent, so that this has a limit of its own:
/// `write_timeout` for each part, as a large packet takes a slow link minutes.
async fn send(
    outgoing: &mut BytesMut,
    broker: &mut WriteHalf<Stream>,
    write_timeout: Duration,
) -> Result<(), LinkEnd> {
    while !outgoing.is_empty() {
        let part = &outgoing[..outgoing.len().min(READ_SIZE)];
        let sent = async {
            broker.write_all(part).await?;
            broker.flush().await
        };
        match timeout(write_timeout, sent).await {
            Ok(outcome) => outcome.map_err(LinkEnd::Transport)?,
            Err(_) => return Err(LinkEnd::Silence(write_timeout)),
        }
        outgoing.advance(part.len());
    }
    Ok(())
}
