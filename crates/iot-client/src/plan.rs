use std::fmt;

use super::MqttVersion;

/// A connection that could be made: [`Display`](fmt::Display) shows it in lines for people. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionPlan {
    /// The broker as `host:port`.
    pub target: String,
    /// The protocol to offer by ALPN (RFC 7301).
    pub alpn: Option<String>,
    /// The path of the WebSocket upgrade; `None` for MQTT directly over TLS.
    pub websocket_path: Option<&'static str>,
    /// The version of MQTT.
    pub mqtt_version: MqttVersion,
    /// The client ID of CONNECT.
    pub client_id: String,
    /// The user name of CONNECT, its secrets hidden.
    pub username: Option<String>,
    /// CONNECT has a password.
    pub has_password: bool,
}

impl fmt::Display for ConnectionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "TLS to {}, ALPN {}", self.target, self.alpn.as_deref().unwrap_or("none"))?;
        if let Some(path) = self.websocket_path {
            writeln!(f, "WebSocket upgrade: GET {path}")?;
        }
        writeln!(f, "CONNECT of MQTT {}, client ID: {}", self.mqtt_version, self.client_id)?;
        let username = match self.username.as_deref() {
            None => "none",
            Some("") => "empty",
            Some(username) => username,
        };
        writeln!(f, "CONNECT user name: {username}")?;
        write!(f, "CONNECT password: {}", if self.has_password { "set" } else { "none" })
    }
}
