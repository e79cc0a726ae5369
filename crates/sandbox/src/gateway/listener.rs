//! Accepts connections, speaks TLS and looks at client certificates.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authorizer::Handshake;
use crate::connections::{Connection, Transport};
use crate::gate::{Authentication, Client};
use crate::gateway::{Gateway, http, server_name, services};
use crate::shortage::Explained;
use crate::tls::{ALPN_MQTT, ALPN_MQTT_CA};

/// How long a client may take for TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The ports of the gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    /// One that speaks TLS.
    Tls(TlsPort),
    /// The metadata services, over plain HTTP.
    Metadata,
}

/// The ports that speak TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TlsPort {
    /// Mutual TLS, whatever the ALPN.
    Mqtt,
    /// By ALPN.
    Https,
}

impl Gateway {
    /// Accepts connections, for ever.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener, port: Port) {
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => {
                    let gateway = Arc::clone(&self);
                    tokio::spawn(async move {
                        if let Err(error) = gateway.connection(tcp, peer, port).await {
                            log::info!("{peer}: {error:#}");
                        }
                    });
                }
                Err(error) => {
                    // Mostly that there are too many open files: give some time to be closed.
                    log::warn!("cannot accept a connection: {}", Explained(&error));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr, port: Port) -> anyhow::Result<()> {
        tcp.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        match port {
            Port::Tls(port) => self.tls(tcp, peer, port).await,
            Port::Metadata => services::serve_metadata(self, tcp, peer).await,
        }
    }

    async fn tls(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr, port: TlsPort) -> anyhow::Result<()> {
        let tls = timeout(HANDSHAKE_TIMEOUT, self.handshake(tcp, port))
            .await
            .context("no TLS handshake in time")?
            .context("the TLS handshake failed")?;
        let alpn = tls.get_ref().1.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned());
        match (port, alpn.as_deref()) {
            (TlsPort::Mqtt, _) | (TlsPort::Https, Some(ALPN_MQTT_CA)) => {
                self.mutual_tls(tls, peer, alpn).await
            }
            (TlsPort::Https, Some(ALPN_MQTT)) => {
                self.custom_authorizer(tls, peer, alpn).await;
                Ok(())
            }
            (TlsPort::Https, _) => http::serve(self, tls, peer, alpn).await,
        }
    }

    /// The configuration depends on the ALPN protocols that the client offers: a certificate is required only where
    /// one is needed.
    async fn handshake(&self, tcp: TcpStream, port: TlsPort) -> std::io::Result<TlsStream<TcpStream>> {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
        let tls = self.account.tls.read().clone();
        let config: Arc<ServerConfig> = match port {
            TlsPort::Mqtt => tls.mqtt,
            TlsPort::Https => {
                let hello = start.client_hello();
                let offers = |name: &str| {
                    hello.alpn().into_iter().flatten().any(|protocol| protocol == name.as_bytes())
                };
                if offers(ALPN_MQTT_CA) {
                    tls.mqtt_by_alpn
                } else if offers(ALPN_MQTT) {
                    tls.custom_authorizer
                } else {
                    tls.http
                }
            }
        };
        start.into_stream(config).await
    }

    async fn mutual_tls(
        &self,
        tls: TlsStream<TcpStream>,
        peer: SocketAddr,
        alpn: Option<String>,
    ) -> anyhow::Result<()> {
        let certificate = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let Some(device) = certificate.and_then(|certificate| self.account.things.find(certificate)) else {
            bail!("the client certificate is not registered");
        };
        log::info!("{peer}: authenticated as the device {:?} by its certificate", device.thing_name);
        let authentication = Authentication::Certificate(device);
        let connection = Connection::new(Transport::MutualTls, authentication.principal(), alpn, None);
        let client = Client { peer, authentication, entry: self.account.connections.add(connection) };
        self.mqtt(tls, client).await;
        Ok(())
    }

    async fn custom_authorizer(&self, tls: TlsStream<TcpStream>, peer: SocketAddr, alpn: Option<String>) {
        let handshake = Handshake { server_name: server_name(&tls), http: None };
        let authentication = Authentication::CustomAuthorizer(handshake);
        let connection = Connection::new(Transport::Tls, authentication.principal(), alpn, None);
        let client = Client { peer, authentication, entry: self.account.connections.add(connection) };
        self.mqtt(tls, client).await;
    }
}
