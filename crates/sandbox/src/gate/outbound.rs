//! Judges what the broker sends to a client.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::ToClient;
use crate::gate::session::Session;
use crate::mqtt::frame::{Frame, kind, packet};
use crate::mqtt::properties::{
    ASSIGNED_CLIENT_IDENTIFIER, Properties, REASON_STRING, SERVER_KEEP_ALIVE, USER_PROPERTY, string_value,
};
use crate::mqtt::publish::Publish;
use crate::mqtt::reader::Reader;
use crate::mqtt::{PacketError, Version, reply};
use crate::policy::Action;

/// The broker adds the publisher's client ID to each message; AWS IoT does not.
const BROKER_PROPERTY: &str = "x-mqtt-client-id";

/// Packets of the gate's own that wait for a client to read: far more than a client may leave unanswered.
pub(super) const QUEUE: usize = 1024;

/// The judge of one connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    session: Arc<Session>,
    connected: bool,
    /// PUBACKs of the broker that went out.
    pubacks: u64,
    /// Packets whose turn has not come.
    waiting: VecDeque<ToClient>,
}

/// What comes out of a judgement.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) to_client: Vec<u8>,
    /// Acknowledgements of messages that the client does not get.
    pub(crate) to_broker: Vec<u8>,
    /// Whether the connection is closed behind them.
    pub(crate) last: bool,
}

impl Outbound {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Outbound { session, connected: false, pubacks: 0, waiting: VecDeque::new() }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the broker has accepted the client.
    pub(crate) fn connected(&self) -> bool {
        self.connected
    }

    /// Whether more packets may be queued: those that wait for the broker are bounded too.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < QUEUE
    }

    /// Takes a packet that is not the broker's.
    pub(crate) fn queue(&mut self, message: ToClient) {
        self.waiting.push_back(message);
    }

    /// Delivers the queued packets whose turn has come. CONNACK comes first, whatever the client has sent right behind
    /// its CONNECT.
    pub(crate) fn release(&mut self, delivered: &mut Delivered) {
        let (connected, pubacks) = (self.connected, self.pubacks);
        while !delivered.last
            && let Some(message) =
                self.waiting.pop_front_if(|next| connected && next.after_pubacks <= pubacks)
        {
            delivered.to_client.extend(message.packet);
            delivered.last = message.last;
        }
    }

    /// Judges one packet of the broker, and releases what has waited for it.
    pub(crate) fn judge(&mut self, frame: &Frame, delivered: &mut Delivered) -> Result<(), PacketError> {
        self.pass(frame, delivered)?;
        self.release(delivered);
        Ok(())
    }

    fn pass(&mut self, frame: &Frame, delivered: &mut Delivered) -> Result<(), PacketError> {
        match (frame.kind(), self.session.version) {
            (kind::CONNACK, _) => self.connack(frame, delivered),
            (kind::PUBLISH, _) => self.publish(frame, delivered),
            (kind::SUBACK, Version::V5) => suback(frame, delivered),
            // MQTT 3.1.1 has no DISCONNECT for servers, yet the broker sends one when a session is taken over.
            (kind::DISCONNECT, Version::V311) => Ok(()),
            (packet, _) => {
                self.pubacks += u64::from(packet == kind::PUBACK);
                delivered.to_client.extend_from_slice(frame.raw());
                Ok(())
            }
        }
    }

    fn connack(&mut self, frame: &Frame, delivered: &mut Delivered) -> Result<(), PacketError> {
        let session = &self.session;
        let mut reader = Reader::new(frame.body());
        let (flags, code) = (reader.u8()?, reader.u8()?);
        session.entry.update(|entry| entry.connack = Some(code));
        self.connected = code == 0;
        session.subscriptions.lock().resumed = flags & 0x01 != 0;
        if session.version == Version::V311 {
            delivered.to_client.extend_from_slice(frame.raw());
            return Ok(());
        }
        let mut properties = Properties::read(&mut reader)?;
        let keep_alive = session.keep_alive.to_be_bytes();
        let client_id = string_value(&session.client_id);
        if code == 0 {
            properties.set(SERVER_KEEP_ALIVE, &keep_alive);
            if session.assigned {
                properties.set(ASSIGNED_CLIENT_IDENTIFIER, &client_id);
            }
        }
        let mut body = vec![flags, code];
        properties.put(&mut body);
        delivered.to_client.extend(packet(0x20, &body));
        Ok(())
    }

    fn publish(&self, frame: &Frame, delivered: &mut Delivered) -> Result<(), PacketError> {
        let session = &self.session;
        let mut publish = Publish::parse(frame, session.version)?;
        let covered = {
            let subscriptions = session.subscriptions.lock();
            // On 3.1.1 only a retained message that a SUBSCRIBE asked for has the flag.
            let by_wildcard = session.version == Version::V311
                && publish.retain
                && !subscriptions.filters.contains(publish.topic);
            subscriptions.cover(publish.topic) && !by_wildcard
        };
        if !covered || !session.permissions.allow(Action::Receive, publish.topic) {
            if let Some(packet_id) = publish.packet_id {
                delivered.to_broker.extend(reply::puback(session.version, packet_id, 0));
            }
            return Ok(());
        }
        publish
            .properties
            .retain(|property| property.id != USER_PROPERTY || property.key() != Some(BROKER_PROPERTY));
        delivered.to_client.extend(publish.encode(session.version));
        Ok(())
    }
}

/// AWS IoT gives no reason strings.
fn suback(frame: &Frame, delivered: &mut Delivered) -> Result<(), PacketError> {
    let mut reader = Reader::new(frame.body());
    let packet_id = reader.u16()?;
    let mut properties = Properties::read(&mut reader)?;
    properties.retain(|property| property.id != REASON_STRING);
    let mut body = packet_id.to_be_bytes().to_vec();
    properties.put(&mut body);
    body.extend_from_slice(reader.rest());
    delivered.to_client.extend(packet(0x90, &body));
    Ok(())
}
