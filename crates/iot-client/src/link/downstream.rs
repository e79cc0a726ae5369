//! From the broker: messages to the application, and the rest to paho, save for the answers to the link's pings.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use iot_transport::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::MqttVersion;
use crate::link::answers;
use crate::link::end::LinkEnd;
use crate::link::exchange::Exchange;
use crate::link::inbox::Inbox;
use crate::link::socket::READ_SIZE;
use crate::not_mqtt::NotMqtt;
use crate::wire::connack::Connack;
use crate::wire::fields::Malformed;
use crate::wire::frames::{Decoder, Kind, MAXIMUM_PACKET_SIZE, PINGRESP_PACKET, Violation};
use crate::wire::publish::Publish;

/// Carries packets until one side ends. paho gets none that it could not read: what is malformed ends the connection.
/// paho's PINGREQs are answered here: paho would take the link for dead otherwise.
pub(crate) async fn downstream(
    mut broker: ReadHalf<Stream>,
    paho: &mut WriteHalf<TcpStream>,
    mut inbox: Inbox,
    exchange: &Exchange,
    connack: oneshot::Sender<Connack>,
) -> LinkEnd {
    let Exchange { version, keep_alive, pinged, .. } = exchange;
    let mut connack = Some(connack);
    let mut decoder = Decoder::new(MAXIMUM_PACKET_SIZE as usize);
    // For paho, which has to wake up for each write.
    let mut incoming = BytesMut::new();
    loop {
        if connack.is_some() && decoder.buffer().first().is_some_and(|&first| first != CONNACK) {
            return not_mqtt(&mut broker, decoder.buffer()).await;
        }
        let violation = loop {
            let packet = match decoder.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break None,
                Err(violation) => break Some(violation),
            };
            let kind = packet.kind();
            let malformed = |malformed| Some(Violation::Malformed(kind, malformed));
            if connack.is_some() != (kind == Kind::Connack) {
                break Some(match connack {
                    Some(_) => Violation::BeforeConnack(kind),
                    None => Violation::Unexpected(kind),
                });
            }
            if kind != Kind::Publish && packet.flags() != 0 {
                break malformed(Malformed::Flags(packet.flags()));
            }
            match kind {
                Kind::Publish => {
                    let publish = match Publish::parse(packet.flags(), packet.body(), *version) {
                        Ok(publish) => publish,
                        Err(problem) => break malformed(problem),
                    };
                    if !inbox.is_ready() {
                        keep_alive.pause();
                        if let Err(error) = wait_for(&mut inbox, paho, &mut incoming, pinged).await {
                            return LinkEnd::Local(error);
                        }
                        keep_alive.resume();
                    }
                    inbox.put(publish);
                }
                Kind::Pingresp => keep_alive.ponged(),
                Kind::Puback | Kind::Suback | Kind::Unsuback => {
                    let answer = answers::parse(kind, packet.body(), *version);
                    let known = answer.and_then(|packet_id| exchange.unanswered.answered(packet_id, kind));
                    if let Err(problem) = known {
                        break malformed(problem);
                    }
                    keep_alive.answered();
                    incoming.extend_from_slice(&packet.bytes);
                }
                Kind::Connack => {
                    let seen = match Connack::parse(packet.body(), *version, exchange.session) {
                        Ok(seen) => seen,
                        Err(problem) => break malformed(problem),
                    };
                    if seen.refusal.is_none() {
                        keep_alive.begin(seen.server_keep_alive());
                    }
                    incoming.extend_from_slice(&seen.for_paho(*version));
                    if let Some(connack) = connack.take() {
                        // The receiver is gone only when the attempt has been given up.
                        let _ = connack.send(seen);
                    }
                }
                Kind::Disconnect if *version == MqttVersion::V5 => {
                    incoming.extend_from_slice(&answers::disconnect(&packet));
                }
                _ => break Some(Violation::Unexpected(kind)),
            }
        };
        if let Err(error) = paho.write_all_buf(&mut incoming).await {
            return LinkEnd::Local(error);
        }
        if let Some(violation) = violation {
            return LinkEnd::Violation(violation);
        }
        decoder.buffer().reserve(READ_SIZE);
        let end = tokio::select! {
            () = pinged.notified() => {
                incoming.extend_from_slice(&PINGRESP_PACKET);
                continue;
            }
            read = broker.read_buf(decoder.buffer()) => match read {
                Ok(0) => LinkEnd::BrokerClosed,
                Ok(_) => {
                    keep_alive.received();
                    continue;
                }
                // Many servers close without a close_notify (RFC 8446 §6.1).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => LinkEnd::Truncated,
                Err(error) => return LinkEnd::Transport(error),
            },
        };
        if connack.is_some() && !decoder.buffer().is_empty() {
            return LinkEnd::Violation(Violation::CutOff);
        }
        return end;
    }
}

/// The end of a link whose peer has begun with something else than a CONNACK. A line of text names its protocol once it is
/// complete.
async fn not_mqtt(broker: &mut ReadHalf<Stream>, beginning: &mut BytesMut) -> LinkEnd {
    let line = async {
        while NotMqtt::is_partial(beginning) && matches!(broker.read_buf(beginning).await, Ok(1..)) {}
    };
    // A timeout only makes the answer a shorter one.
    let _ = timeout(FIRST_LINE_TIMEOUT, line).await;
    match NotMqtt::identify(beginning) {
        Some(answer) => LinkEnd::NotMqtt(answer),
        None => LinkEnd::Violation(match Kind::of(beginning[0]) {
            Kind::Connack => Violation::Malformed(Kind::Connack, Malformed::Flags(beginning[0] & 0x0f)),
            kind => Violation::BeforeConnack(kind),
        }),
    }
}

/// Time for the first line of a server that does not speak MQTT, from its first byte on.
const FIRST_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// The first byte of a CONNACK (MQTT 5.0 §3.2.1).
const CONNACK: u8 = 0x20;

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
