//! From the broker: messages to the application, and the rest to paho, save for the answers to the link's pings.

use std::io;
use std::pin::pin;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

use super::MqttVersion;
use super::connack::Connack;
use super::frames::{Decoder, Kind, MAXIMUM_PACKET_SIZE, PINGRESP_PACKET, Violation};
use super::link::{LinkEnd, READ_SIZE};
use super::publish::Publish;
use super::pulse::Pulse;
use super::receipt::Inbox;
use crate::transport::Stream;

/// Carries packets until one side ends. paho's PINGREQs, which `pinged` tells of, are answered here: paho would take
/// the link for dead otherwise.
pub(super) async fn downstream(
    mut broker: ReadHalf<Stream>,
    paho: &mut WriteHalf<TcpStream>,
    version: MqttVersion,
    mut inbox: Inbox,
    pulse: &Pulse,
    pinged: &Notify,
    connack: oneshot::Sender<Connack>,
) -> LinkEnd {
    let mut connack = Some(connack);
    let mut decoder = Decoder::new(MAXIMUM_PACKET_SIZE as usize);
    // For paho, which has to wake up for each write.
    let mut incoming = BytesMut::new();
    loop {
        let violation = loop {
            let packet = match decoder.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break None,
                Err(violation) => break Some(violation),
            };
            match packet.kind() {
                Kind::Publish if connack.is_some() => break Some(Violation::BeforeConnack),
                Kind::Publish => {
                    let publish = match Publish::parse(packet.flags(), packet.body(), version) {
                        Ok(publish) => publish,
                        Err(malformed) => break Some(Violation::Publish(malformed)),
                    };
                    if !inbox.is_ready() {
                        pulse.pause();
                        if let Err(error) = wait_for(&mut inbox, paho, &mut incoming, pinged).await {
                            return LinkEnd::Local(error);
                        }
                        pulse.resume();
                    }
                    inbox.put(publish);
                    continue;
                }
                Kind::Pingresp => {
                    pulse.ponged();
                    continue;
                }
                Kind::Puback | Kind::Suback => pulse.answered(),
                Kind::Connack => {
                    if let Some((sender, seen)) = connack.take().zip(Connack::parse(packet.body())) {
                        if seen.code == 0 {
                            pulse.begin(seen.server_keep_alive);
                        }
                        // The receiver is gone only when the attempt has been given up.
                        let _ = sender.send(seen);
                    }
                }
                _ => {}
            }
            incoming.extend_from_slice(&packet.bytes);
        };
        if let Err(error) = paho.write_all_buf(&mut incoming).await {
            return LinkEnd::Local(error);
        }
        if let Some(violation) = violation {
            return LinkEnd::Violation(violation);
        }
        decoder.buffer().reserve(READ_SIZE);
        tokio::select! {
            () = pinged.notified() => incoming.extend_from_slice(&PINGRESP_PACKET),
            read = broker.read_buf(decoder.buffer()) => match read {
                Ok(0) => return LinkEnd::BrokerClosed,
                Ok(_) => pulse.received(),
                // Many servers close without a close_notify (RFC 8446 §6.1).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return LinkEnd::Truncated,
                Err(error) => return LinkEnd::Transport(error),
            },
        }
    }
}

/// Waits until the application has been told of the connection, and has taken enough.
async fn wait_for(
    inbox: &mut Inbox,
    paho: &mut WriteHalf<TcpStream>,
    incoming: &mut BytesMut,
    pinged: &Notify,
) -> io::Result<()> {
    let mut ready = pin!(inbox.ready());
    loop {
        paho.write_all_buf(incoming).await?;
        tokio::select! {
            () = &mut ready => return Ok(()),
            () = pinged.notified() => incoming.extend_from_slice(&PINGRESP_PACKET),
        }
    }
}
