use std::io;
use std::time::Duration;

use crate::not_mqtt::NotMqtt;
use crate::wire::frames::Violation;

/// Why a link ended.
#[derive(Debug)]
pub(crate) enum LinkEnd {
    /// paho closed its side: after a DISCONNECT, or when it gave up.
    Paho,
    /// The broker closed the connection.
    BrokerClosed,
    /// The stream ended without a close_notify: many servers close so (RFC 8446 §6.1).
    Truncated,
    /// The transport below failed.
    Transport(io::Error),
    /// The broker sent what no broker may send.
    Violation(Violation),
    /// The peer is no MQTT broker.
    NotMqtt(NotMqtt),
    /// The link's own socket failed.
    Local(io::Error),
    /// The broker has not answered a PINGREQ within this time, or taken a byte.
    Silence(Duration),
    /// The client needs it no more.
    Stopped,
    /// The link has panicked, with this message.
    Panicked(String),
}
