use std::time::Duration;

use super::fields::{Fields, Malformed};

/// What a CONNACK says that paho does not pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connack {
    pub(super) code: u8,
    pub(super) reason_string: Option<String>,
    pub(super) server_keep_alive: Option<Duration>,
}

impl Connack {
    /// Reads a CONNACK's body: flags, code and, on MQTT 5, properties (MQTT 5.0 §3.2.2).
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let &[_flags, code, ref properties @ ..] = body else { return None };
        let mut connack = Self { code, reason_string: None, server_keep_alive: None };
        // What comes before a property that is malformed counts.
        let _ = connack.read_properties(Fields::new(properties));
        Some(connack)
    }

    /// Reads the properties (MQTT 5.0 §3.2.2.3) up to the end, or to the first that is malformed.
    fn read_properties(&mut self, mut body: Fields<'_>) -> Result<(), Malformed> {
        let mut properties = body.properties()?;
        while !properties.is_empty() {
            match properties.byte()? {
                SERVER_KEEP_ALIVE => {
                    self.server_keep_alive = Some(Duration::from_secs(properties.two_bytes()?.into()));
                }
                REASON_STRING => self.reason_string = Some(properties.text()?.to_owned()),
                // All others that a CONNACK may carry, by their size.
                0x24 | 0x25 | 0x28 | 0x29 | 0x2a => drop(properties.byte()?),
                0x21 | 0x22 => drop(properties.two_bytes()?),
                0x11 | 0x27 => drop(properties.four_bytes()?),
                0x12 | 0x15 | 0x16 | 0x1a | 0x1c => drop(properties.binary()?),
                0x26 => drop((properties.binary()?, properties.binary()?)),
                unknown => return Err(Malformed::Property(unknown)),
            }
        }
        Ok(())
    }
}

const SERVER_KEEP_ALIVE: u8 = 0x13;
const REASON_STRING: u8 = 0x1f;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_properties_of_a_connack() {
        // Receive Maximum, a user property, Server Keep Alive, then the Reason String.
        let properties = b"\x21\x00\x64\x26\x00\x01k\x00\x01v\x13\x00\x1e\x1f\x00\x06denied";
        let body = [&[0, 0x87, properties.len() as u8][..], properties].concat();
        let expected = Connack {
            code: 0x87,
            reason_string: Some("denied".to_owned()),
            server_keep_alive: Some(Duration::from_secs(30)),
        };
        assert_eq!(Connack::parse(&body), Some(expected));
        // MQTT 3.1.1 has none.
        let expected = Connack { code: 5, reason_string: None, server_keep_alive: None };
        assert_eq!(Connack::parse(&[0, 5]), Some(expected));
    }

    #[test]
    fn what_comes_before_a_malformed_property_counts() {
        let connack = Connack::parse(b"\x00\x87\x05\x13\x00\x1e\x99\x00").unwrap();
        assert_eq!(connack.server_keep_alive, Some(Duration::from_secs(30)));
        assert_eq!(Connack::parse(&[0]), None);
    }
}
