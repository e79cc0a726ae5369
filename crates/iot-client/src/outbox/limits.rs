//! The limits that the broker's CONNACK sets. A broker closes the connection over a packet beyond them, so the client does
//! not send it.

use crate::BrokerLimits;
use crate::broker_limit::BrokerLimit;
use crate::message::{Message, QoS};
use crate::request::Action;

/// Refuses what the broker does not take.
pub(super) fn check(limits: &BrokerLimits, action: &Action) -> Result<(), BrokerLimit> {
    match action {
        Action::Publish(message) if message.qos == QoS::AtLeastOnce && limits.maximum_qos == Some(0) => {
            return Err(BrokerLimit::QoS);
        }
        Action::Publish(message) if message.retain && limits.retain_available == Some(false) => {
            return Err(BrokerLimit::Retain);
        }
        Action::Subscribe { filter, .. }
            if filter.starts_with("$share/") && limits.shared_subscriptions == Some(false) =>
        {
            return Err(BrokerLimit::Shared);
        }
        Action::Subscribe { filter, .. }
            if filter.contains(['+', '#']) && limits.wildcard_subscriptions == Some(false) =>
        {
            return Err(BrokerLimit::Wildcard);
        }
        _ => {}
    }
    match limits.maximum_packet_size {
        Some(maximum) if packet_size(action) > maximum as usize => {
            Err(BrokerLimit::PacketSize { size: packet_size(action), maximum })
        }
        _ => Ok(()),
    }
}

/// Returns whether a message has room for a topic alias beside its topic.
pub(super) fn allow_alias(limits: &BrokerLimits, action: &Action) -> bool {
    const ALIAS: usize = 3;
    // The property may make two lengths longer by a byte each.
    limits.maximum_packet_size.is_none_or(|maximum| packet_size(action) + ALIAS + 2 <= maximum as usize)
}

/// The size of an action's packet on MQTT 5, which alone has limits.
fn packet_size(action: &Action) -> usize {
    let rest = match action {
        Action::Publish(message) => {
            let packet_id = if message.qos == QoS::AtLeastOnce { 2 } else { 0 };
            let properties = properties_size(message);
            2 + message.topic.len() + packet_id + with_length(properties) + message.payload.len()
        }
        // Packet identifier, no properties, the topic filter, its options.
        Action::Subscribe { filter, .. } => 2 + 1 + 2 + filter.len() + 1,
        Action::Unsubscribe { filter } => 2 + 1 + 2 + filter.len(),
    };
    1 + with_length(rest)
}

fn properties_size(message: &Message) -> usize {
    let Message { content_type, response_topic, correlation_data, expiry, user_properties, .. } = message;
    let texts = content_type.iter().chain(response_topic).map(String::len);
    let binary = texts.chain(correlation_data.iter().map(Vec::len)).map(|length| 3 + length);
    let pairs = user_properties.iter().map(|(name, value)| 5 + name.len() + value.len());
    let expiry = if expiry.is_some() { 5 } else { 0 };
    expiry + binary.chain(pairs).sum::<usize>()
}

/// The size of so many bytes with their length in front (MQTT 5.0 §1.5.5).
fn with_length(bytes: usize) -> usize {
    let length = match bytes {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    };
    length + bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn publish(change: impl FnOnce(&mut Message)) -> Action {
        let mut message = Message::new("t", "");
        change(&mut message);
        Action::Publish(Arc::new(message))
    }

    fn subscribe(filter: &str) -> Action {
        Action::Subscribe { filter: filter.to_owned(), qos: QoS::AtLeastOnce }
    }

    #[test]
    fn each_limit_rules_out_what_it_names_and_nothing_else() {
        let nothing = BrokerLimits {
            maximum_qos: Some(0),
            retain_available: Some(false),
            wildcard_subscriptions: Some(false),
            shared_subscriptions: Some(false),
            ..BrokerLimits::default()
        };
        let at_most_once = publish(|message| message.qos = QoS::AtMostOnce);
        let retained = publish(|message| {
            message.qos = QoS::AtMostOnce;
            message.retain = true;
        });
        for (action, ruled_out) in [
            (publish(|_| {}), Err(BrokerLimit::QoS)),
            (at_most_once, Ok(())),
            (retained, Err(BrokerLimit::Retain)),
            (subscribe("a/#"), Err(BrokerLimit::Wildcard)),
            (subscribe("a/+/b"), Err(BrokerLimit::Wildcard)),
            (subscribe("$share/g/a"), Err(BrokerLimit::Shared)),
            // A subscription that an earlier connection was granted can be given up.
            (Action::Unsubscribe { filter: "a/#".to_owned() }, Ok(())),
            (subscribe("a"), Ok(())),
        ] {
            assert_eq!(check(&nothing, &action), ruled_out, "{action:?}");
            assert_eq!(check(&BrokerLimits::default(), &action), Ok(()), "{action:?}");
        }
    }

    #[test]
    fn a_packet_is_as_large_as_its_bytes() {
        let small = publish(|message| message.qos = QoS::AtMostOnce);
        assert_eq!(packet_size(&small), b"\x30\x04\x00\x01t\x00".len());
        assert_eq!(packet_size(&subscribe("t")), b"\x82\x07\x00\x01\x00\x00\x01t\x01".len());
        let unsubscribe = Action::Unsubscribe { filter: "t".to_owned() };
        assert_eq!(packet_size(&unsubscribe), b"\xa2\x06\x00\x01\x00\x00\x01t".len());
        for (payload, size) in [(121, 129), (122, 131), (16_377, 16_386), (16_378, 16_388)] {
            let action = publish(|message| message.payload = vec![0; payload]);
            assert_eq!(packet_size(&action), size, "{payload}");
            let limits = BrokerLimits { maximum_packet_size: Some(size as u32), ..BrokerLimits::default() };
            assert_eq!(check(&limits, &action), Ok(()));
            assert!(!allow_alias(&limits, &action));
            let maximum = size as u32 - 1;
            let limits = BrokerLimits { maximum_packet_size: Some(maximum), ..BrokerLimits::default() };
            assert_eq!(check(&limits, &action), Err(BrokerLimit::PacketSize { size, maximum }));
        }
    }
}
