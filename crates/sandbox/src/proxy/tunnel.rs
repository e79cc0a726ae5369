//! Opens tunnels for the clients of one proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;

use crate::proxy::login::Login;
use crate::proxy::requests::{Proxied, ProxyKind, RequestLog};
use crate::proxy::target::{Target, Unreachable};

/// How long a client may take for each step before its tunnel stands: TLS, and the proxy's own protocol.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the protocols of a proxy need.
pub(super) struct Proxy {
    pub(super) kind: ProxyKind,
    /// What to ask clients for.
    pub(super) login: Option<Login>,
    pub(super) requests: Arc<RequestLog>,
}

impl Proxy {
    /// Connects to what an authenticated client asks for, and remembers that it did.
    pub(super) async fn connect(
        &self,
        target: &Target,
        user: Option<String>,
        peer: SocketAddr,
    ) -> Result<TcpStream, Unreachable> {
        self.requests.add(Proxied { proxy: self.kind, target: target.to_string(), user });
        let result = target.connect().await;
        match &result {
            Ok(_) => log::info!("{} proxy: {peer}: connected to {target}", self.kind),
            Err(error) => log::info!("{} proxy: {peer}: not connected to {target}: {error}", self.kind),
        }
        result
    }
}

/// Copies both ways until both are at their end. It may take for ever: MQTT connections do.
pub(super) async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(mut client: S, mut target: TcpStream) {
    // That one side has reset its connection is an end like any other.
    let _ = copy_bidirectional(&mut client, &mut target).await;
}
