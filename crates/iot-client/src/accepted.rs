use std::fmt;

use super::{BrokerLimits, MqttVersion};

/// The CONNACK that accepts a connection, as a [timeline](iot_transport::timeline) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The protocol version.
    pub version: MqttVersion,
    /// Whether the broker still had the session of an earlier connection.
    pub session_present: bool,
    /// The limits that the broker announces.
    pub limits: BrokerLimits,
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accepted (MQTT {}, session present: {})", self.version, self.session_present)
    }
}
