//! Judges what a client sends after its CONNECT.

use std::collections::HashMap;
use std::sync::Arc;

use crate::broker::ToClient;
use crate::gate::session::{Closing, Session};
use crate::limits;
use crate::mqtt::frame::{Frame, kind};
use crate::mqtt::properties::{SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS};
use crate::mqtt::publish::Publish;
use crate::mqtt::subscribe::{Subscribe, unsubscribed};
use crate::mqtt::{PacketError, Version, reason, reply};
use crate::policy::Action;
use crate::received::Recorders;

/// The judge of one connection.
#[derive(Debug)]
pub(crate) struct Inbound {
    session: Arc<Session>,
    recorders: Recorders,
    aliases: HashMap<u16, String>,
    /// PUBLISHes of QoS 1 that the broker got, and so acknowledges.
    forwarded: u64,
}

/// Where the packets go that came out of a judgement.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    pub(crate) to_broker: Vec<u8>,
    pub(crate) to_client: Vec<ToClient>,
}

impl From<PacketError> for Closing {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Malformed => Closing::new(reason::MALFORMED_PACKET, "a malformed packet"),
            PacketError::DuplicateProperty => {
                Closing::new(reason::PROTOCOL_ERROR, "a property that occurs twice")
            }
        }
    }
}

impl Inbound {
    pub(crate) fn new(session: Arc<Session>, recorders: Recorders) -> Self {
        Inbound { session, recorders, aliases: HashMap::new(), forwarded: 0 }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// A packet of the gate's own, to be sent behind the answers to all that was forwarded so far.
    pub(crate) fn answer(&self, packet: Vec<u8>, last: bool) -> ToClient {
        ToClient { packet, after_pubacks: self.forwarded, last }
    }

    /// Judges one packet; an error ends the connection.
    pub(crate) fn judge(&mut self, frame: &Frame, routed: &mut Routed) -> Result<(), Closing> {
        // The flags that each packet type has (MQTT 5 §2.1.3).
        let flags = match frame.kind() {
            kind::SUBSCRIBE | kind::UNSUBSCRIBE => 0b0010,
            kind::PUBACK | kind::PINGREQ | kind::DISCONNECT => 0,
            _ => frame.flags(),
        };
        if frame.flags() != flags {
            return Err(PacketError::Malformed.into());
        }
        match frame.kind() {
            kind::PUBLISH => self.publish(frame, routed),
            kind::SUBSCRIBE => self.subscribe(frame, routed),
            kind::UNSUBSCRIBE => {
                let filters = unsubscribed(frame.body(), self.session.version)?;
                self.session
                    .subscriptions
                    .lock()
                    .filters
                    .retain(|filter| !filters.contains(&filter.as_str()));
                routed.to_broker.extend_from_slice(frame.raw());
                Ok(())
            }
            kind::DISCONNECT => {
                // Any other reason is a failure, or asks for the will.
                if frame.body().first().is_none_or(|reason| *reason == 0) {
                    self.session.entry.update(|entry| entry.clean_disconnect = true);
                }
                routed.to_broker.extend_from_slice(frame.raw());
                Ok(())
            }
            kind::PUBACK | kind::PINGREQ => {
                routed.to_broker.extend_from_slice(frame.raw());
                Ok(())
            }
            // A second CONNECT, QoS 2's handshake, AUTH, and what only servers send.
            _ => Err(Closing::new(reason::PROTOCOL_ERROR, "a packet that is not expected")),
        }
    }

    fn publish(&mut self, frame: &Frame, routed: &mut Routed) -> Result<(), Closing> {
        let version = self.session.version;
        let mut publish = Publish::parse(frame, version)?;
        if publish.qos > 1 {
            return Err(Closing::new(reason::QOS_NOT_SUPPORTED, "a PUBLISH with QoS 2"));
        }
        if publish.properties.find(SUBSCRIPTION_IDENTIFIER).is_some() {
            return Err(Closing::new(reason::PROTOCOL_ERROR, "a PUBLISH with a subscription identifier"));
        }
        let topic = self.resolve(&publish)?;
        limits::topic_name(&topic).map_err(|reason| Closing::new(reason, "a topic that is not valid"))?;
        if publish.payload.len() > limits::PAYLOAD {
            return Err(Closing::new(reason::PACKET_TOO_LARGE, "a payload that is too large"));
        }
        if publish.retain && topic.starts_with('$') {
            return Err(Closing::new(reason::RETAIN_NOT_SUPPORTED, "RETAIN on a reserved topic"));
        }
        let permissions = &self.session.permissions;
        let allowed = permissions.allow(Action::Publish, &topic)
            && (!publish.retain || permissions.allow(Action::RetainPublish, &topic));
        match (allowed, publish.packet_id) {
            (true, _) => {
                // The broker never sees an alias: of a denied PUBLISH it would not learn one.
                publish.properties.retain(|property| property.id != TOPIC_ALIAS);
                publish.topic = &topic;
                self.forwarded += u64::from(publish.qos);
                self.recorders.note(&self.session.client_id, &publish);
                routed.to_broker.extend(publish.encode(version));
                Ok(())
            }
            (false, Some(packet_id)) if version == Version::V5 => {
                let puback = reply::puback(version, packet_id, reason::NOT_AUTHORIZED);
                routed.to_client.push(self.answer(puback, false));
                Ok(())
            }
            (false, _) => Err(Closing::new(reason::NOT_AUTHORIZED, "a PUBLISH that is not allowed")),
        }
    }

    /// The topic of a PUBLISH, its alias set or looked up.
    fn resolve(&mut self, publish: &Publish<'_>) -> Result<String, Closing> {
        let Some(alias) = publish.properties.find(TOPIC_ALIAS).and_then(|property| property.u16()) else {
            return Ok(publish.topic.to_owned());
        };
        if alias == 0 || alias > limits::TOPIC_ALIASES {
            return Err(Closing::new(reason::TOPIC_ALIAS_INVALID, "a topic alias out of range"));
        }
        if publish.topic.is_empty() {
            let unknown = Closing::new(reason::PROTOCOL_ERROR, "a topic alias that was never set");
            return self.aliases.get(&alias).cloned().ok_or(unknown);
        }
        self.aliases.insert(alias, publish.topic.to_owned());
        Ok(publish.topic.to_owned())
    }

    fn subscribe(&mut self, frame: &Frame, routed: &mut Routed) -> Result<(), Closing> {
        let version = self.session.version;
        let mut subscribe = Subscribe::parse(frame.body(), version)?;
        if subscribe.filters.len() > limits::FILTERS {
            return Err(Closing::new(reason::QUOTA_EXCEEDED, "more than 8 filters in a SUBSCRIBE"));
        }
        if subscribe.properties.find(SUBSCRIPTION_IDENTIFIER).is_some() {
            return Err(Closing::new(
                reason::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
                "a subscription identifier",
            ));
        }
        for (filter, _) in &subscribe.filters {
            limits::topic_filter(filter)
                .map_err(|reason| Closing::new(reason, "a filter that is not valid"))?;
            // MQTT 5 learns of a denied filter by the broker's SUBACK.
            if version == Version::V311 && !self.session.permissions.allow(Action::Subscribe, filter) {
                return Err(Closing::new(reason::NOT_AUTHORIZED, "a SUBSCRIBE that is not allowed"));
            }
        }
        let filters = &mut self.session.subscriptions.lock().filters;
        filters.extend(subscribe.filters.iter().map(|(filter, _)| (*filter).to_owned()));
        if filters.len() > limits::SUBSCRIPTIONS {
            return Err(Closing::new(reason::QUOTA_EXCEEDED, "more than 50 subscriptions"));
        }
        if version == Version::V5 {
            subscribe.without_retained_for_wildcards();
        }
        routed.to_broker.extend(subscribe.encode(version));
        Ok(())
    }
}
