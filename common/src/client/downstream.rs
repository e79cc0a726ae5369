//! From the broker to paho: what the broker sends, save for the answers to the link's pings.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

use super::frames::{Connack, Decoder, PINGRESP_PACKET, Packet};
use super::link::{LinkEnd, READ_SIZE};
use super::pulse::Pulse;
use super::receipt::Ledger;
use crate::transport::Stream;

/// Carries bytes until one side ends, and enters each message into `ledger`. paho's PINGREQs, which `pinged` tells of,
/// are answered here: paho would take the link for dead otherwise.
pub(super) async fn downstream(
    mut broker: ReadHalf<Stream>,
    paho: &mut WriteHalf<TcpStream>,
    ledger: &Ledger,
    pulse: &Pulse,
    pinged: &Notify,
    connack: oneshot::Sender<Connack>,
) -> LinkEnd {
    let mut connack = Some(connack);
    let mut decoder = Decoder::default();
    let mut incoming = BytesMut::new();
    let mut withheld = false;
    loop {
        let violation = loop {
            let segment = match decoder.next_segment() {
                Ok(Some(segment)) => segment,
                Ok(None) => break None,
                Err(violation) => break Some(violation),
            };
            if let Some(packet) = segment.starts {
                withheld = packet == Packet::Pingresp;
                match packet {
                    Packet::Connack(body) => {
                        if let Some((sender, seen)) = connack.take().zip(Connack::parse(body)) {
                            if seen.code == 0 {
                                pulse.begin(seen.server_keep_alive);
                            }
                            // The receiver is gone only when the attempt has been given up.
                            let _ = sender.send(seen);
                        }
                    }
                    Packet::Publish(packet_id, bytes) => {
                        if ledger.is_full() {
                            pulse.pause();
                            if let Err(error) = wait_for_room(ledger, paho, &mut incoming, pinged).await {
                                return LinkEnd::Local(error);
                            }
                            pulse.resume();
                        }
                        ledger.enter(packet_id, bytes);
                    }
                    Packet::Puback | Packet::Suback => pulse.answered(),
                    Packet::Pingresp => pulse.ponged(),
                    _ => {}
                }
            }
            if !withheld {
                incoming.extend_from_slice(&segment.bytes);
            }
        };
        if let Err(error) = paho.write_all_buf(&mut incoming).await {
            return LinkEnd::Local(error);
        }
        if let Some(violation) = violation {
            return LinkEnd::Violation(violation);
        }
        decoder.buffer().reserve(READ_SIZE);
        let between_packets = decoder.is_between_packets();
        tokio::select! {
            // Inside a packet it has time: paho is content as long as something comes.
            () = pinged.notified(), if between_packets => incoming.extend_from_slice(&PINGRESP_PACKET),
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

/// Waits until the application has taken enough. No packet of `incoming` is incomplete.
async fn wait_for_room(
    ledger: &Ledger,
    paho: &mut WriteHalf<TcpStream>,
    incoming: &mut BytesMut,
    pinged: &Notify,
) -> io::Result<()> {
    log::debug!("the application lags: not reading from the broker");
    loop {
        paho.write_all_buf(incoming).await?;
        tokio::select! {
            () = ledger.room() => return Ok(()),
            () = pinged.notified() => incoming.extend_from_slice(&PINGRESP_PACKET),
        }
    }
}
