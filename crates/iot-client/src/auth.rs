//! The ways to prove who we are.

use std::sync::Arc;

use iot_transport::Identity;

use crate::auth_kind::AuthKind;
use crate::custom_auth::CustomAuthorizer;
use crate::error::Error;
use crate::sign_upgrade::SignUpgrade;

/// How a client authenticates to AWS IoT Core.
///
/// Port and ALPN follow from it
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html#protocol-mapping>).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Auth {
    /// MQTT over TLS with an X.509 client certificate.
    MutualTls(Identity),
    /// MQTT over WebSocket, its upgrade signed anew for each connection.
    SignedWebSocket(Arc<dyn SignUpgrade>),
    /// A user name and a password, or a signed token, in CONNECT, for a custom authorizer to look at.
    CustomAuthorizer {
        /// What CONNECT carries.
        authorizer: CustomAuthorizer,
        /// How MQTT gets there.
        transport: CustomAuthTransport,
    },
}

/// The two ways to reach AWS IoT Core without a client certificate or a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CustomAuthTransport {
    /// MQTT over TLS.
    Mqtt,
    /// MQTT over WebSocket. The upgrade holds no proof of who we are: CONNECT does.
    WebSocket,
}

/// The port of MQTT over TLS.
const MQTT_PORT: u16 = 8883;

impl Auth {
    /// What errors say of it. An identity that the credentials' source has yet to ask for is not known here.
    pub(crate) fn kind(&self) -> AuthKind {
        match self {
            Auth::MutualTls(_) => AuthKind::Certificate,
            Auth::SignedWebSocket(signer) => signer.auth_kind(),
            Auth::CustomAuthorizer { authorizer, .. } => {
                AuthKind::CustomAuthorizer { name: authorizer.name().map(str::to_owned) }
            }
        }
    }

    /// The port where none is given: 8883 with a client certificate, 443 with anything else.
    #[must_use]
    pub fn default_port(&self) -> u16 {
        match self {
            Auth::MutualTls(_) => MQTT_PORT,
            Auth::SignedWebSocket(_) | Auth::CustomAuthorizer { .. } => 443,
        }
    }

    /// Whether AWS IoT Core takes this on `port`.
    ///
    /// # Errors
    /// [`Error::Settings`] for a combination that it refuses.
    pub(crate) fn check_port(&self, port: u16) -> Result<(), Error> {
        match self {
            Auth::CustomAuthorizer { .. } if port == MQTT_PORT => Err(Error::Settings(format!(
                "port {MQTT_PORT} is for client certificates only: custom authorizers are on port 443"
            ))),
            _ => Ok(()),
        }
    }

    /// The protocol to offer by ALPN (RFC 7301) on `port`.
    ///
    /// AWS tells MQTT with a client certificate from HTTPS on port 443 by `x-amzn-mqtt-ca`, MQTT with a custom
    /// authorizer by `mqtt`, and so does a local gateway on whichever port it shares; 8883 has one protocol only.
    #[must_use]
    pub fn alpn(&self, port: u16) -> Option<&'static [u8]> {
        match self {
            Auth::MutualTls(_) if port == MQTT_PORT => None,
            Auth::MutualTls(_) => Some(b"x-amzn-mqtt-ca"),
            Auth::CustomAuthorizer { transport: CustomAuthTransport::Mqtt, .. } => Some(b"mqtt"),
            Auth::SignedWebSocket(_)
            | Auth::CustomAuthorizer { transport: CustomAuthTransport::WebSocket, .. } => Some(b"http/1.1"),
        }
    }
}
