use std::str;

use iot_transport::text::{one_line, shortened};

/// The server that answers where an MQTT broker should, by the beginning of its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotMqtt {
    /// A web server.
    #[error("a web server answers here{}", status.map(|status| format!(" (HTTP {status})")).unwrap_or_default())]
    Http {
        /// The status of its answer, if it has one.
        status: Option<u16>,
    },
    /// A TLS server, below the TLS that is established already.
    #[error("a TLS server answers inside TLS")]
    Tls,
    /// A server of some other protocol of text.
    #[error("the answer is \"{line}\"")]
    Text {
        /// The first line, shortened and without control characters.
        line: String,
    },
    /// A WebSocket server whose messages are text, which MQTT's never are (MQTT 5.0 §6).
    #[error("the answer is a WebSocket text message, \"{text}\"")]
    TextMessage {
        /// Its beginning, without control characters.
        text: String,
    },
    /// Anything else.
    #[error("the answer begins with the byte {byte:#04x}, which begins no CONNACK")]
    Byte {
        /// The first byte.
        byte: u8,
    },
}

/// A status line is shorter than this, and so are greetings.
const LONGEST_LINE: usize = 256;

/// The characters of an answer that a message shows.
const SHOWN: usize = 80;

impl NotMqtt {
    /// Returns whether `beginning` is the part of a line that the next bytes may complete.
    pub(crate) fn is_partial(beginning: &[u8]) -> bool {
        beginning.len() < LONGEST_LINE && !beginning.contains(&b'\n') && begins_as_text(beginning)
    }

    /// Names who speaks like this; `None` if it may be MQTT.
    pub(crate) fn identify(beginning: &[u8]) -> Option<Self> {
        let line = beginning.split(|&byte| byte == b'\n').next()?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(rest) = line.strip_prefix(b"HTTP/") {
            let status = rest.split(|&byte| byte == b' ').nth(1);
            let status = status.and_then(|status| str::from_utf8(status).ok()?.parse().ok());
            return Some(Self::Http { status });
        }
        // An alert or a ServerHello (RFC 8446 §5.1).
        if matches!(beginning, [0x15 | 0x16, 3, 0..=4, ..]) {
            return Some(Self::Tls);
        }
        if line.len() >= TEXT && begins_as_text(line) {
            let line = one_line(&String::from_utf8_lossy(line));
            return shortened(line, SHOWN).map(|line| Self::Text { line });
        }
        let byte = *beginning.first()?;
        (!begins_a_packet(byte)).then_some(Self::Byte { byte })
    }
}

/// The printable characters that make a text: no packet of MQTT begins with so many, as a length or a number of two bytes
/// follows its first byte.
const TEXT: usize = 3;

fn begins_as_text(bytes: &[u8]) -> bool {
    bytes.iter().take(TEXT).all(|byte| matches!(byte, b' '..=b'~'))
}

/// Returns whether an MQTT packet may begin with this byte: a type, and the flags that it may have (MQTT 5.0 §2.1.3).
fn begins_a_packet(byte: u8) -> bool {
    match (byte >> 4, byte & 0x0f) {
        (0, _) => false,
        // The flags of a CONNACK are wrong rather than its type.
        (2, _) => true,
        (3, flags) => flags & 6 != 6,
        (6 | 8 | 10, flags) => flags == 2,
        (_, flags) => flags == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_first_words() {
        for (beginning, shown) in [
            (&b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n"[..], "a web server answers here (HTTP 400)"),
            (b"HTTP/1.0 503\r\n", "a web server answers here (HTTP 503)"),
            (b"HTTP/1.1", "a web server answers here"),
            (b"HTTP/1.1 \x1b[31m\r\n", "a web server answers here"),
            (b"\x15\x03\x01\x00\x02\x02\x28", "a TLS server answers inside TLS"),
            (b"220 mail.example ESMTP\r\n250", "the answer is \"220 mail.example ESMTP\""),
            (b"SSH-2.0-OpenSSH", "the answer is \"SSH-2.0-OpenSSH\""),
            (b"-ERR\tn\xc3\xb6\x1b[2J\xff\r\n", "the answer is \"-ERR\\tnö\\u{1b}[2J\u{fffd}\""),
            (b"\x00\x00\x12\x04", "the answer begins with the byte 0x00, which begins no CONNACK"),
            (b"H\x80", "the answer begins with the byte 0x48, which begins no CONNACK"),
        ] {
            assert_eq!(NotMqtt::identify(beginning).unwrap().to_string(), shown);
        }
        let long = NotMqtt::identify(&[b'x'; 300]).unwrap().to_string();
        assert_eq!(long.len(), "the answer is \"…\"".len() + SHOWN);
    }

    #[test]
    fn an_mqtt_packet_is_taken_for_no_other_protocol() {
        for packet in [&b"\x32\x06\x00\x01t\x00\x01x"[..], b"\x40\x02\x00\x01", b"\xe0\x00", b"\xd0\x00"] {
            assert_eq!(NotMqtt::identify(packet), None);
        }
        assert_eq!(NotMqtt::identify(b""), None);
    }

    #[test]
    fn a_line_is_waited_for_and_nothing_else() {
        assert!(NotMqtt::is_partial(b"HTTP/1.1 4"));
        for whole in [&b"HTTP/1.1 400\r\n"[..], b"\x15\x03", b"\xe0", &[b'x'; 256]] {
            assert!(!NotMqtt::is_partial(whole), "{whole:?}");
        }
    }
}
