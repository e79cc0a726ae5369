use std::fmt;

/// One step of a connection, from the bottom up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Flags, files, and what follows from them.
    Settings,
    /// AWS credentials.
    Credentials,
    /// Name resolution.
    Dns,
    /// The TCP connection, to the proxy where there is one.
    Tcp,
    /// The handshake with a proxy, and TLS with it.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The WebSocket upgrade.
    WebSocket,
    /// MQTT itself, from CONNECT on.
    Mqtt,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Settings => "settings",
            Layer::Credentials => "AWS credentials",
            Layer::Dns => "name resolution",
            Layer::Tcp => "TCP",
            Layer::Proxy => "proxy",
            Layer::Tls => "TLS handshake",
            Layer::WebSocket => "WebSocket upgrade",
            Layer::Mqtt => "MQTT CONNACK",
        })
    }
}
