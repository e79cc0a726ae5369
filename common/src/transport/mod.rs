//! The way to the broker: TCP, TLS, and WebSocket where the authentication method asks for it.
//!
//! Each layer wraps the stream of the one below and knows nothing of the one above.

mod auth;
mod identity;
mod pem;
mod refusal;
mod roots;
pub(crate) mod tcp;
pub(crate) mod tls;
mod websocket;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::auth::Auth;
pub use self::identity::Identity;
pub use self::roots::Roots;
pub(crate) use self::tls::map_read_error;
use crate::credentials::Provider;
use crate::endpoint::Endpoint;
use crate::error::{Error, Layer};
use crate::sigv4::{self, SigningRequest};
use crate::timeline::Timeline;

/// What a layer reads from and writes to.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, whatever it is made of.
pub(crate) type Stream = Box<dyn Io>;

/// How long a signature holds: what AWS IoT Core accepts, whatever the request says.
const SIGNATURE_EXPIRES: Duration = Duration::from_secs(5 * 60);

/// Opens connections to one broker with one authentication method. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoint: Endpoint,
    port: u16,
    tls: Arc<ClientConfig>,
    websocket: Option<Signer>,
}

/// What signs the WebSocket upgrade.
#[derive(Debug)]
struct Signer {
    provider: Provider,
    region: String,
}

impl Dialer {
    /// Prepares what all connections share: the port, the roots, the TLS configuration.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Identity`] when the roots cannot be loaded, [`Error::Settings`] when the
    /// region is empty.
    pub(crate) fn new(endpoint: Endpoint, auth: Auth, roots: Roots) -> Result<Self, Error> {
        let port = endpoint.port().unwrap_or_else(|| auth.default_port());
        let alpn = auth.alpn(port).map(<[u8]>::to_vec);
        let (identity, websocket) = match auth {
            Auth::MutualTls(identity) => (Some(identity), None),
            Auth::SigV4 { region, .. } if region.is_empty() => {
                return Err(Error::Settings("the signing region is empty".to_owned()));
            }
            Auth::SigV4 { credentials, region } => {
                let provider = Provider::new(credentials, Some(region.clone()), &roots);
                (None, Some(Signer { provider, region }))
            }
        };
        let tls = tls::config(&roots, identity.as_ref(), alpn)?;
        Ok(Self { shared: Arc::new(Shared { endpoint, port, tls, websocket }) })
    }

    /// The broker as `host:port`.
    pub(crate) fn target(&self) -> String {
        self.shared.endpoint.authority(self.shared.port)
    }

    /// The broker's host and port.
    pub(crate) fn endpoint(&self) -> (&str, u16) {
        (self.shared.endpoint.host(), self.shared.port)
    }

    /// Opens a connection that is ready for MQTT's CONNECT, and reports each step to `timeline`.
    ///
    /// There is no deadline in here: the caller puts one around the whole.
    ///
    /// # Errors
    /// One of the transport's errors, naming the layer that failed.
    pub(crate) async fn dial(&self, timeline: &Timeline) -> Result<Stream, Error> {
        match &self.shared.websocket {
            None => self.dial_tls(timeline).await,
            Some(signer) => self.dial_websocket(signer, timeline).await,
        }
    }

    async fn dial_tls(&self, timeline: &Timeline) -> Result<Stream, Error> {
        let Shared { endpoint, port, tls, .. } = &*self.shared;

        let step = timeline.step(Layer::Dns);
        let addresses = tcp::resolve(endpoint.host(), *port).await?;
        step.done(format!("{} has {} address(es)", endpoint.host(), addresses.len()));

        let step = timeline.step(Layer::Tcp);
        let (stream, address) = tcp::connect(&addresses, &self.target()).await?;
        step.done(format!("connected to {address}"));

        let step = timeline.step(Layer::Tls);
        let stream = tls::connect(Arc::clone(tls), endpoint.host(), stream, &self.target()).await?;
        step.done(tls::describe(&stream));

        Ok(Box::new(stream))
    }

    async fn dial_websocket(&self, signer: &Signer, timeline: &Timeline) -> Result<Stream, Error> {
        let credentials = async {
            let step = timeline.step(Layer::Credentials);
            let credentials = signer.provider.resolve().await?;
            step.done("resolved");
            Ok(credentials)
        };
        // Both at once; the signature comes after both, so that its time is as fresh as it can be.
        let (stream, credentials) = tokio::try_join!(self.dial_tls(timeline), credentials)?;

        let step = timeline.step(Layer::WebSocket);
        let host_header = sigv4::host_header(self.shared.endpoint.host(), self.shared.port);
        let path = sigv4::presign(&SigningRequest {
            host_header: &host_header,
            region: &signer.region,
            credentials: &credentials,
            time: SystemTime::now(),
            expires: SIGNATURE_EXPIRES,
        })
        .map_err(|source| Error::Signing { target: self.target(), source })?;
        let stream = websocket::upgrade(stream, &host_header, &path, &self.target()).await?;
        step.done("open");
        Ok(stream)
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
