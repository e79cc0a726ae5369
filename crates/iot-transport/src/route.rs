//! The way out of this machine: the roots to trust, and the proxy to go through.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::proxy::{
    self, Choice, Failure, Heard, Listening, Proxies, Proxy, ProxyAnswer, ProxyProblem, ProxyScheme, socks5,
};
use super::tcp::AddressFamily;
use super::{Roots, Stream, tcp, tls};
use crate::crypto;
use crate::endpoint::bracketed;
use crate::error::Error;
use crate::layer::Layer;
use crate::timeline::{Detail, Running, Timeline};

/// How connections leave this machine. The broker's and those for AWS credentials share one.
///
/// Roots alone are a direct route: `Route::from(roots)`.
#[derive(Debug, Clone)]
pub struct Route {
    roots: Roots,
    proxies: Proxies,
    proxy_tls: ProxyTls,
    family: AddressFamily,
}

/// TLS with the proxy itself: no client certificate, no protocol of the broker's, roots of its own.
#[derive(Clone)]
struct ProxyTls {
    roots: Roots,
    /// Made once for an `https://` proxy; it holds the session tickets.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Route {
    /// `roots` are for the broker and AWS, `proxy_roots` for an `https://` proxy.
    #[must_use]
    pub fn new(roots: Roots, proxies: Proxies, proxy_roots: Roots) -> Self {
        let proxy_tls = ProxyTls { roots: proxy_roots, config: Arc::default() };
        Self { roots, proxies, proxy_tls, family: AddressFamily::Any }
    }

    /// The same proxies with other roots for what is behind them.
    #[must_use]
    pub fn with_roots(&self, roots: Roots) -> Self {
        Self { roots, ..self.clone() }
    }

    /// The same, with IPv6 for every address that is looked up and connected to here. What a proxy does is its own
    /// affair, and the metadata services are asked where they are.
    #[must_use]
    pub fn over_ipv6(self) -> Self {
        Self { family: AddressFamily::V6, ..self }
    }

    /// The roots for the broker and AWS.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// As [`choose`](Self::choose), without the reason.
    ///
    /// # Errors
    /// The same.
    pub fn proxy_for(&self, host: &str) -> Result<Option<&Proxy>, Error> {
        Ok(self.choose(host)?.proxy)
    }

    /// The proxy that connections to `host` go through, or none, with the reason.
    ///
    /// # Errors
    /// [`Error::Settings`] for a variable that cannot be parsed.
    pub fn choose(&self, host: &str) -> Result<Choice<'_>, Error> {
        self.proxies.choose(host)
    }

    /// Reads the roots for an `https://` proxy. A file may be a pipe, whose reading blocks, which a connection attempt must
    /// not.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Identity`] when they cannot be loaded.
    pub fn load_proxy_roots(&self) -> Result<(), Error> {
        match self.proxies.proxy() {
            Ok(Some(proxy)) if proxy.scheme() == ProxyScheme::Https => self.proxy_tls.config().map(drop),
            // A variable that cannot be parsed is the error of the host that needs it.
            _ => Ok(()),
        }
    }

    /// Opens a stream to `host`, a name or an address without brackets, through its proxy if it has one.
    ///
    /// # Errors
    /// [`Error::Proxy`] where there is a proxy, else [`Error::Resolve`] or [`Error::Tcp`]; [`Error::Settings`] as in
    /// [`proxy_for`](Self::proxy_for).
    pub async fn connect(&self, host: &str, port: u16, timeline: &Timeline) -> Result<Stream, Error> {
        let choice = self.choose(host)?;
        if let Some(why) = choice.why {
            timeline.way(match choice.proxy {
                Some(_) => format!("through the proxy {why}"),
                None => why,
            });
        }
        match choice.proxy {
            None => Ok(Box::new(open_tcp(host, port, self.family, &BROKER, timeline).await?)),
            Some(proxy) => {
                let (tls, family) = (&self.proxy_tls, self.family);
                let way = Way { proxy, tls, target: &authority(host, port), family, timeline };
                way.connect(host, port).await
            }
        }
    }

    /// Which addresses are looked up and connected to.
    pub(super) fn family(&self) -> AddressFamily {
        self.family
    }

    /// What the failure of TLS with `target` means on the way to `host`: behind a proxy it is told with it, unless it is
    /// our own private key's.
    pub fn explain(&self, host: &str, error: Error) -> Error {
        match (error, self.proxy_for(host)) {
            (Error::Tls { target, source }, Ok(Some(proxy))) if !source.is::<Arc<Error>>() => {
                proxy.error(&target, Failure { problem: ProxyProblem::Tls, source: Some(source) })
            }
            (error, _) => error,
        }
    }
}

/// A direct route.
impl From<Roots> for Route {
    fn from(roots: Roots) -> Self {
        Self::new(roots, Proxies::default(), Roots::system())
    }
}

impl ProxyTls {
    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = tls::config(&self.roots, None, None)?;
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

impl fmt::Debug for ProxyTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyTls").field(&self.roots).finish()
    }
}

/// Opens a stream to `host` without a proxy, over either address family.
///
/// # Errors
/// [`Error::Resolve`] or [`Error::Tcp`].
pub(crate) async fn connect_directly(host: &str, port: u16, timeline: &Timeline) -> Result<Stream, Error> {
    Ok(Box::new(open_tcp(host, port, AddressFamily::Any, &BROKER, timeline).await?))
}

/// What the timeline calls the steps to whom this machine connects.
struct Names {
    dns: &'static str,
    tcp: &'static str,
}

const BROKER: Names = Names { dns: "name resolution", tcp: "TCP" };
const PROXY: Names = Names { dns: "proxy's name", tcp: "TCP to proxy" };

async fn open_tcp(
    host: &str,
    port: u16,
    family: AddressFamily,
    names: &Names,
    timeline: &Timeline,
) -> Result<TcpStream, Error> {
    crypto::seed_ahead();
    let addresses = resolve(host, port, family, names, timeline).await?;
    let step = timeline.step_named(Layer::Tcp, names.tcp);
    let (stream, address) = tcp::connect(&addresses, &authority(host, port)).await?;
    step.done(Detail::Tcp { address });
    Ok(stream)
}

async fn resolve(
    host: &str,
    port: u16,
    family: AddressFamily,
    names: &Names,
    timeline: &Timeline,
) -> Result<Vec<SocketAddr>, Error> {
    let step = timeline.step_named(Layer::Dns, names.dns);
    let addresses = tcp::resolve(host, port, family).await?;
    step.done(Detail::Dns {
        host: host.to_owned(),
        addresses: addresses.iter().map(SocketAddr::ip).collect(),
    });
    Ok(addresses)
}

fn authority(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

/// One connection through one proxy.
struct Way<'a> {
    proxy: &'a Proxy,
    tls: &'a ProxyTls,
    /// `host:port` behind the proxy.
    target: &'a str,
    family: AddressFamily,
    timeline: &'a Timeline,
}

impl Way<'_> {
    async fn connect(&self, host: &str, port: u16) -> Result<Stream, Error> {
        match self.proxy.scheme() {
            ProxyScheme::Socks5 => self.connect_by_address(host, port).await,
            ProxyScheme::Socks5h => {
                let destination =
                    socks5::Destination::new(host, port).map_err(|failure| self.error(failure))?;
                let stream = self.reach_proxy().await?;
                let handshake = Handshake::begin(self.proxy, self.timeline);
                let outcome = self.request(stream, &destination, &handshake).await;
                let stream = outcome.map_err(|failure| self.error(failure))?;
                handshake.done(format!("open to {}", self.target));
                Ok(stream)
            }
            ProxyScheme::Http | ProxyScheme::Https => {
                let stream = self.reach_proxy().await?;
                let handshake = Handshake::begin(self.proxy, self.timeline);
                let listening = Listening::new(stream, handshake.heard.clone());
                let credentials = self.proxy.credentials();
                let stream = proxy::http::connect(listening, &handshake.heard, credentials, self.target)
                    .await
                    .map_err(|failure| self.error(failure))?;
                handshake.done(format!("open to {}", self.target));
                Ok(stream)
            }
        }
    }

    /// SOCKS5 with the addresses that are looked up here while the proxy is connected to.
    async fn connect_by_address(&self, host: &str, port: u16) -> Result<Stream, Error> {
        let addresses = async {
            resolve(host, port, self.family, &BROKER, self.timeline).await.map_err(|error| match error {
                Error::Resolve { source, .. } => {
                    self.error(Failure { problem: ProxyProblem::Unresolved, source: Some(source.into()) })
                }
                error => error,
            })
        };
        let (addresses, stream) = tokio::try_join!(addresses, self.reach_proxy())?;
        self.connect_to_one_of(addresses, stream).await
    }

    /// The proxy may reach one address and not the other, such as IPv6, so they are tried in turn.
    async fn connect_to_one_of(&self, addresses: Vec<SocketAddr>, stream: Stream) -> Result<Stream, Error> {
        let mut connected = Some(stream);
        let mut addresses = addresses.into_iter().peekable();
        while let Some(address) = addresses.next() {
            let stream = match connected.take() {
                Some(stream) => stream,
                None => self.reach_proxy().await?,
            };
            let handshake = Handshake::begin(self.proxy, self.timeline);
            match self.request(stream, &address.into(), &handshake).await {
                Ok(stream) => {
                    handshake.done(format!("open to {address}"));
                    return Ok(stream);
                }
                // Of one address; a proxy that takes none of our methods takes none for the next one either.
                Err(failure @ Failure { problem: ProxyProblem::Refused(ProxyAnswer::SocksReply(_)), .. })
                    if addresses.peek().is_some() =>
                {
                    handshake.failed(&self.proxy.error(&address.to_string(), failure));
                }
                Err(failure) => return Err(self.error(failure)),
            }
        }
        // The resolver gives one at least.
        Err(self.error(ProxyProblem::Unresolved.into()))
    }

    async fn request(
        &self,
        stream: Stream,
        destination: &socks5::Destination,
        handshake: &Handshake<'_>,
    ) -> Result<Stream, Failure> {
        let mut stream = Listening::new(stream, handshake.heard.clone());
        socks5::connect(&mut stream, self.proxy.credentials(), destination).await?;
        Ok(stream.into_inner())
    }

    /// A stream to the proxy, within TLS where its scheme says so.
    async fn reach_proxy(&self) -> Result<Stream, Error> {
        let unreachable = |error: Error| match error {
            // The proxy's CA file is not the proxy's fault.
            error @ (Error::File { .. } | Error::Identity { .. } | Error::Settings(_)) => error,
            error => self.error(Failure { problem: ProxyProblem::Unreachable, source: Some(error.into()) }),
        };
        let stream = open_tcp(self.proxy.host(), self.proxy.port(), self.family, &PROXY, self.timeline)
            .await
            .map_err(unreachable)?;
        if self.proxy.scheme() != ProxyScheme::Https {
            return Ok(Box::new(stream));
        }
        let step = self.timeline.step_named(Layer::Proxy, "TLS with proxy");
        let config = self.tls.config()?;
        let stream = tls::connect(config, self.proxy.host(), stream, &self.proxy.authority(), None)
            .await
            .map_err(unreachable)?;
        step.done(tls::describe(&stream));
        Ok(Box::new(stream))
    }

    fn error(&self, failure: Failure) -> Error {
        self.proxy.error(self.target, failure)
    }
}

/// A handshake under way. When it is given up, because the deadline has passed, what was heard of the proxy by then
/// goes to the timeline.
struct Handshake<'a> {
    proxy: &'a Proxy,
    heard: Heard,
    step: Option<Running>,
}

impl<'a> Handshake<'a> {
    fn begin(proxy: &'a Proxy, timeline: &Timeline) -> Self {
        Self { proxy, heard: Heard::default(), step: Some(timeline.step(Layer::Proxy)) }
    }

    fn done(mut self, detail: String) {
        if let Some(step) = self.step.take() {
            step.done(detail);
        }
    }

    /// Another address is tried.
    fn failed(mut self, error: &Error) {
        if let Some(step) = self.step.take() {
            step.failed(error);
        }
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        let said = self.proxy.without_login(&self.heard.bytes());
        if let Some(step) = self.step.take()
            && !said.is_empty()
        {
            step.note(format!("the proxy said \"{}\"", said.escape_ascii()));
        }
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
