use std::fmt;

use super::version::MqttVersion;

/// The code of an acknowledgement or a DISCONNECT.
///
/// MQTT 5 has one table of reason codes for all packets (MQTT 5.0 §2.4); MQTT 3.1.1 has return codes in
/// CONNACK (§3.2.2.3) and the single failure 0x80 in SUBACK (§3.9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReasonCode {
    code: u8,
    version: MqttVersion,
}

impl ReasonCode {
    /// The code of an acknowledgement or DISCONNECT of this version.
    #[must_use]
    pub fn new(code: u8, version: MqttVersion) -> Self {
        Self { code, version }
    }

    /// The byte on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        self.code
    }

    /// Returns whether the broker says that the principal is not allowed to do this.
    #[must_use]
    pub fn is_not_authorized(self) -> bool {
        match self.version {
            MqttVersion::V5 => self.code == 0x87,
            MqttVersion::V311 => self.code == 5,
        }
    }

    /// Returns whether the broker says that user name or password are wrong.
    pub(crate) fn is_bad_login(self) -> bool {
        match self.version {
            MqttVersion::V5 => self.code == 0x86,
            MqttVersion::V311 => self.code == 4,
        }
    }

    /// Returns whether a broker of MQTT 3.1.1 says that it does not know the version.
    pub(crate) fn is_unknown_version(self) -> bool {
        self.version == MqttVersion::V311 && self.code == 1
    }

    /// Returns whether the broker says that another connection has the same client ID.
    pub(crate) fn is_takeover(self) -> bool {
        self.version == MqttVersion::V5 && self.code == 0x8e
    }

    /// Returns whether trying again cannot help: who we are is refused, not the moment, and not a packet (0x9a, 0x9b),
    /// which can be given up by itself.
    pub(crate) fn is_permanent(self) -> bool {
        match self.version {
            MqttVersion::V5 => matches!(self.code, 0x84..=0x87 | 0x8a | 0x8c | 0x9d),
            MqttVersion::V311 => matches!(self.code, 1 | 2 | 4 | 5),
        }
    }

    /// Returns whether a DISCONNECT with this code answers a packet of ours, which the next connection would see again.
    pub(super) fn blames_a_packet(self) -> bool {
        self.version == MqttVersion::V5
            && matches!(
                self.code,
                0x81 | 0x82 | 0x87 | 0x8f | 0x90 | 0x94 | 0x95 | 0x99..=0x9b | 0x9e | 0xa1 | 0xa2
            )
    }

    /// Returns whether an answer with this code, to a CONNECT or a SUBSCRIBE, would be the same again: the packet would
    /// be, its will and its filter included.
    pub(crate) fn refuses_for_good(self) -> bool {
        self.is_permanent() || self.blames_a_packet()
    }

    fn name(self) -> &'static str {
        match (self.version, self.code) {
            (MqttVersion::V311, 1) => "unacceptable protocol version",
            (MqttVersion::V311, 2) => "identifier rejected",
            (MqttVersion::V311, 3) => "server unavailable",
            (MqttVersion::V311, 4) => "bad user name or password",
            (MqttVersion::V311, 5) => "not authorized",
            (MqttVersion::V311, 0x80) => "failure",
            (MqttVersion::V5, 0x00) => "normal disconnection",
            (MqttVersion::V5, 0x80) => "unspecified error",
            (MqttVersion::V5, 0x81) => "malformed packet",
            (MqttVersion::V5, 0x82) => "protocol error",
            (MqttVersion::V5, 0x83) => "implementation specific error",
            (MqttVersion::V5, 0x84) => "unsupported protocol version",
            (MqttVersion::V5, 0x85) => "client identifier not valid",
            (MqttVersion::V5, 0x86) => "bad user name or password",
            (MqttVersion::V5, 0x87) => "not authorized",
            (MqttVersion::V5, 0x88) => "server unavailable",
            (MqttVersion::V5, 0x89) => "server busy",
            (MqttVersion::V5, 0x8a) => "banned",
            (MqttVersion::V5, 0x8b) => "server shutting down",
            (MqttVersion::V5, 0x8c) => "bad authentication method",
            (MqttVersion::V5, 0x8d) => "keep alive timeout",
            (MqttVersion::V5, 0x8e) => "session taken over",
            (MqttVersion::V5, 0x8f) => "topic filter invalid",
            (MqttVersion::V5, 0x90) => "topic name invalid",
            (MqttVersion::V5, 0x91) => "packet identifier in use",
            (MqttVersion::V5, 0x92) => "packet identifier not found",
            (MqttVersion::V5, 0x93) => "receive maximum exceeded",
            (MqttVersion::V5, 0x94) => "topic alias invalid",
            (MqttVersion::V5, 0x95) => "packet too large",
            (MqttVersion::V5, 0x96) => "message rate too high",
            (MqttVersion::V5, 0x97) => "quota exceeded",
            (MqttVersion::V5, 0x98) => "administrative action",
            (MqttVersion::V5, 0x99) => "payload format invalid",
            (MqttVersion::V5, 0x9a) => "retain not supported",
            (MqttVersion::V5, 0x9b) => "QoS not supported",
            (MqttVersion::V5, 0x9c) => "use another server",
            (MqttVersion::V5, 0x9d) => "server moved",
            (MqttVersion::V5, 0x9e) => "shared subscriptions not supported",
            (MqttVersion::V5, 0x9f) => "connection rate exceeded",
            (MqttVersion::V5, 0xa0) => "maximum connect time",
            (MqttVersion::V5, 0xa1) => "subscription identifiers not supported",
            (MqttVersion::V5, 0xa2) => "wildcard subscriptions not supported",
            _ => "unknown reason",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.version {
            MqttVersion::V311 => "return code",
            MqttVersion::V5 => "reason code",
        };
        write!(f, "{} ({kind} {:#04x})", self.name(), self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(version: MqttVersion, condition: impl Fn(ReasonCode) -> bool) -> Vec<u8> {
        (0..=0xff).filter(|&code| condition(ReasonCode::new(code, version))).collect()
    }

    #[test]
    fn what_will_never_heal() {
        let ends = codes(MqttVersion::V5, ReasonCode::is_permanent);
        assert_eq!(ends, [0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x9d]);
        // A CONNACK for a will (0x90, 0x95, 0x99) is the same for the next CONNECT, as a SUBACK is for the filter.
        let refuses = codes(MqttVersion::V5, ReasonCode::refuses_for_good);
        let packet = [0x81, 0x82, 0x8f, 0x90, 0x94, 0x95, 0x99, 0x9a, 0x9b, 0x9e, 0xa1, 0xa2];
        assert!(packet.iter().chain(&ends).all(|code| refuses.contains(code)), "{refuses:x?}");
        assert_eq!(refuses.len(), packet.len() + ends.len());
        assert_eq!(codes(MqttVersion::V311, ReasonCode::refuses_for_good), [1, 2, 4, 5]);
    }
}
