//! Proxies to try clients with: HTTP CONNECT and SOCKS5, each without and with a password, and HTTP CONNECT over TLS.
//!
//! They lead to this machine's loopback interface and nowhere else, and never ask a name server.

mod http;
mod login;
mod requests;
mod socks5;
mod target;
mod tunnel;
mod urls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::listen::{listen, listen_again};
use crate::shortage::Explained;

pub use requests::{Proxied, ProxyKind};
pub use urls::Proxies;

use self::login::Login;
use self::requests::RequestLog;
use self::tunnel::{HANDSHAKE_TIMEOUT, Proxy};

/// How many connections one proxy has at a time; with some 20 KiB each. More of them wait to be accepted.
const PLACES: usize = 256;

/// The proxies of a sandbox. Their tasks end with the runtime that they were started on.
pub(crate) struct ProxyServers {
    tls: Arc<ServerConfig>,
    login: Login,
    requests: Arc<RequestLog>,
    ports: Vec<(ProxyKind, u16)>,
    urls: Proxies,
}

impl ProxyServers {
    /// Starts all of them on free ports.
    pub(crate) fn start(runtime: &Handle, tls: Arc<ServerConfig>) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for kind in ProxyKind::ALL {
            let listener = listen(0)?;
            ports.push((kind, listener.local_addr().context("cannot learn the port")?.port()));
            listeners.push((kind, listener));
        }
        let login = Login::generate()?;
        let urls = Proxies::new(&ports, &login);
        let servers = ProxyServers { tls, login, requests: Arc::default(), ports, urls };
        servers.serve(runtime, listeners)?;
        Ok(servers)
    }

    /// Starts them again, after the end of their runtime, on the same ports and with the same password.
    pub(crate) fn restart(&self, runtime: &Handle) -> anyhow::Result<()> {
        let again = |&(kind, port): &(ProxyKind, u16)| Ok((kind, listen_again(port)?));
        self.serve(runtime, self.ports.iter().map(again).collect::<anyhow::Result<_>>()?)
    }

    pub(crate) fn urls(&self) -> &Proxies {
        &self.urls
    }

    pub(crate) fn requests(&self) -> Vec<Proxied> {
        self.requests.snapshot()
    }

    fn serve(
        &self,
        runtime: &Handle,
        listeners: Vec<(ProxyKind, std::net::TcpListener)>,
    ) -> anyhow::Result<()> {
        let _context = runtime.enter();
        for (kind, listener) in listeners {
            listener.set_nonblocking(true).context("cannot listen")?;
            let listener = TcpListener::from_std(listener).context("cannot listen")?;
            let proxy = Proxy {
                kind,
                login: kind.asks_for_password().then(|| self.login.clone()),
                requests: Arc::clone(&self.requests),
            };
            let tls = (kind == ProxyKind::Https).then(|| TlsAcceptor::from(Arc::clone(&self.tls)));
            runtime.spawn(Arc::new(Server { proxy, tls }).accept(listener));
        }
        Ok(())
    }
}

/// One of them.
struct Server {
    proxy: Proxy,
    /// Whether clients speak TLS to it.
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// Accepts connections, for ever.
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(PLACES));
        // It is an error only for a semaphore that was closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((tcp, peer)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        if let Err(error) = server.connection(tcp, peer).await {
                            log::info!("{} proxy: {peer}: {error:#}", server.proxy.kind);
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    // Mostly that there are too many open files: give some time to be closed.
                    let kind = self.proxy.kind;
                    log::warn!("{kind} proxy: cannot accept a connection: {}", Explained(&error));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(&self, tcp: TcpStream, peer: SocketAddr) -> anyhow::Result<()> {
        tcp.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        match (self.proxy.kind, &self.tls) {
            (ProxyKind::Socks5 | ProxyKind::Socks5Auth, _) => socks5::serve(&self.proxy, tcp, peer).await,
            (_, None) => http::serve(&self.proxy, tcp, peer).await,
            (_, Some(acceptor)) => {
                let tls = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp))
                    .await
                    .context("no TLS handshake in time")?
                    .context("the TLS handshake failed")?;
                http::serve(&self.proxy, tls, peer).await
            }
        }
    }
}
