//! The ways to prove who we are.

use super::Identity;
use crate::credentials::CredentialSource;

/// How a client authenticates to AWS IoT Core.
///
/// Port and ALPN follow from it
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html#protocol-mapping>).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Auth {
    /// MQTT over TLS with an X.509 client certificate.
    MutualTls(Identity),
    /// MQTT over WebSocket, its upgrade signed with AWS credentials (Signature Version 4).
    SigV4 {
        /// Where the credentials come from. They are resolved anew for each connection.
        credentials: CredentialSource,
        /// The signing region: the one in the endpoint's name.
        region: String,
    },
}

/// The port of MQTT over TLS.
const MQTT_PORT: u16 = 8883;

impl Auth {
    /// The port where none is given: 8883 for MQTT, 443 for WebSocket.
    #[must_use]
    pub fn default_port(&self) -> u16 {
        match self {
            Auth::MutualTls(_) => MQTT_PORT,
            Auth::SigV4 { .. } => 443,
        }
    }

    /// The protocol to offer by ALPN (RFC 7301) on `port`.
    ///
    /// AWS tells MQTT with a client certificate from HTTPS on port 443 by `x-amzn-mqtt-ca`, and so does a local
    /// gateway on whichever port it shares; 8883 has one protocol only.
    #[must_use]
    pub fn alpn(&self, port: u16) -> Option<&'static [u8]> {
        match self {
            Auth::MutualTls(_) if port == MQTT_PORT => None,
            Auth::MutualTls(_) => Some(b"x-amzn-mqtt-ca"),
            Auth::SigV4 { .. } => Some(b"http/1.1"),
        }
    }
}
