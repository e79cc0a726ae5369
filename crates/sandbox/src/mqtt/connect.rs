//! CONNECT (MQTT 5 §3.1, MQTT 3.1.1 §3.1).

use crate::mqtt::frame::packet;
use crate::mqtt::properties::{AUTHENTICATION_METHOD, Properties};
use crate::mqtt::reader::{Reader, put_binary};
use crate::mqtt::{Malformed, PacketError, Version};

/// Why a CONNECT cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectError {
    /// Not a CONNECT of any version.
    Malformed,
    /// A property that may occur once occurs again.
    DuplicateProperty,
    /// A protocol level other than 4 and 5.
    UnsupportedVersion {
        /// The level that was asked for.
        level: u8,
    },
}

impl From<Malformed> for ConnectError {
    fn from(_: Malformed) -> Self {
        ConnectError::Malformed
    }
}

impl From<PacketError> for ConnectError {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Malformed => ConnectError::Malformed,
            PacketError::DuplicateProperty => ConnectError::DuplicateProperty,
        }
    }
}

/// What the gate needs of a CONNECT.
#[derive(Clone)]
pub(crate) struct Connect<'a> {
    pub(crate) version: Version,
    pub(crate) clean_start: bool,
    /// In seconds; 0 turns it off.
    pub(crate) keep_alive: u16,
    pub(crate) client_id: &'a str,
    pub(crate) will: Option<Will<'a>>,
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a [u8]>,
    pub(crate) enhanced_authentication: bool,
    flags: u8,
    properties: Properties<'a>,
    /// Everything behind the client ID: will, user name, password.
    tail: &'a [u8],
}

/// The will of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Will<'a> {
    pub(crate) topic: &'a str,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

impl<'a> Connect<'a> {
    /// Reads the body of a CONNECT.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, ConnectError> {
        let mut reader = Reader::new(body);
        let protocol = reader.string()?;
        let level = reader.u8()?;
        let version = match (protocol, level) {
            ("MQTT", 4) => Version::V311,
            ("MQTT", 5) => Version::V5,
            ("MQTT" | "MQIsdp", level) => return Err(ConnectError::UnsupportedVersion { level }),
            _ => return Err(ConnectError::Malformed),
        };
        let flags = reader.u8()?;
        let keep_alive = reader.u16()?;
        let properties = match version {
            Version::V5 => Properties::read(&mut reader)?,
            Version::V311 => Properties::default(),
        };
        let client_id = reader.string()?;
        let tail = reader.rest();
        let will = if flags & 0x04 == 0 { None } else { Some(read_will(&mut reader, flags, version)?) };
        let username = if flags & 0x80 == 0 { None } else { Some(reader.string()?) };
        let password = if flags & 0x40 == 0 { None } else { Some(reader.binary()?) };
        if flags & 0x01 != 0 || !reader.is_empty() {
            return Err(ConnectError::Malformed);
        }
        Ok(Connect {
            version,
            clean_start: flags & 0x02 != 0,
            keep_alive,
            client_id,
            will,
            username,
            password,
            enhanced_authentication: properties.find(AUTHENTICATION_METHOD).is_some(),
            flags,
            properties,
            tail,
        })
    }

    /// The same CONNECT with another client ID and keep-alive.
    pub(crate) fn rewrite(&self, client_id: &str, keep_alive: u16) -> Vec<u8> {
        let mut body = Vec::with_capacity(client_id.len() + self.tail.len() + 64);
        put_binary(&mut body, b"MQTT");
        body.push(self.version.level());
        body.push(self.flags);
        body.extend_from_slice(&keep_alive.to_be_bytes());
        if self.version == Version::V5 {
            self.properties.put(&mut body);
        }
        put_binary(&mut body, client_id.as_bytes());
        body.extend_from_slice(self.tail);
        packet(0x10, &body)
    }
}

fn read_will<'a>(reader: &mut Reader<'a>, flags: u8, version: Version) -> Result<Will<'a>, PacketError> {
    if version == Version::V5 {
        Properties::read(reader)?;
    }
    let topic = reader.string()?;
    reader.binary()?;
    Ok(Will { topic, qos: flags >> 3 & 0x03, retain: flags & 0x20 != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v5(flags: u8, tail: &[u8]) -> Vec<u8> {
        let mut body = b"\x00\x04MQTT\x05".to_vec();
        body.extend([flags, 0, 60, 5, 0x11, 0, 0, 0, 10]);
        body.extend(b"\x00\x02id");
        body.extend(tail);
        body
    }

    #[test]
    fn reads_and_rewrites() {
        let body = v5(0b1110_1110, b"\x00\x00\x03a/b\x00\x01p\x00\x01u\x00\x01s");
        let connect = Connect::parse(&body).unwrap();
        assert_eq!((connect.client_id, connect.keep_alive, connect.clean_start), ("id", 60, true));
        assert_eq!(connect.will, Some(Will { topic: "a/b", qos: 1, retain: true }));
        assert_eq!((connect.username, connect.password), (Some("u"), Some(&b"s"[..])));
        let rewritten = connect.rewrite("other", 90);
        let again = Connect::parse(&rewritten[2..]).unwrap();
        assert_eq!((again.client_id, again.keep_alive, again.will), ("other", 90, connect.will));
    }

    #[test]
    fn refuses_other_levels_and_trailing_bytes() {
        let v31 = b"\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x02id";
        assert_eq!(Connect::parse(v31).err(), Some(ConnectError::UnsupportedVersion { level: 3 }));
        assert_eq!(Connect::parse(&v5(2, b"x")).err(), Some(ConnectError::Malformed));
        assert_eq!(Connect::parse(b"GET / HTTP/1.1\r\n").err(), Some(ConnectError::Malformed));
    }
}
