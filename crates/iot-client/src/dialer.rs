//! Opens the connections of a client: TCP, TLS, and WebSocket where the authentication method asks for it.

use std::sync::Arc;

use iot_transport::timeline::{Detail, Timeline};
use iot_transport::{Endpoint, Identity, Layer, Route, Stream, tls, websocket};
use rustls::ClientConfig;
use tokio::sync::Mutex;

use crate::auth::{Auth, CustomAuthTransport};
use crate::auth_kind::AuthKind;
use crate::error::Error;
use crate::sign_upgrade::{SignUpgrade, WEBSOCKET_PATH};

/// Opens connections to one broker with one authentication method. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoint: Endpoint,
    port: u16,
    route: Route,
    tls: Arc<ClientConfig>,
    /// Where a signature of the private key may block: whose turn it is.
    blocking_key: Option<Arc<Mutex<()>>>,
    carrier: Carrier,
    auth: AuthKind,
}

/// What carries MQTT's packets.
#[derive(Debug)]
enum Carrier {
    /// The TLS stream itself.
    Tls,
    /// WebSocket. The proof of who we are is in the CONNECT.
    WebSocket,
    /// WebSocket, its upgrade signed. The CONNECT holds no proof.
    SignedWebSocket(Arc<dyn SignUpgrade>),
}

impl Dialer {
    /// Prepares what all connections share: the port, the route, the TLS configuration.
    ///
    /// # Errors
    /// [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`] when the roots cannot be loaded, [`Error::Settings`] when the
    /// region is empty, the port is not for this authentication method, or a proxy variable cannot be parsed.
    pub(crate) fn new(endpoint: Endpoint, auth: Auth, route: Route) -> Result<Self, Error> {
        // A wrong setting shows before anything is asked for.
        route.proxy_for(endpoint.host())?;
        let port = endpoint.port().unwrap_or_else(|| auth.default_port());
        auth.check_port(port)?;
        let alpn = auth.alpn(port).map(<[u8]>::to_vec);
        let kind = auth.kind();
        let (identity, carrier) = match auth {
            Auth::MutualTls(identity) => (Some(identity), Carrier::Tls),
            Auth::SignedWebSocket(signer) => {
                signer.check()?;
                (None, Carrier::SignedWebSocket(signer))
            }
            Auth::CustomAuthorizer { transport: CustomAuthTransport::Mqtt, .. } => (None, Carrier::Tls),
            Auth::CustomAuthorizer { transport: CustomAuthTransport::WebSocket, .. } => {
                (None, Carrier::WebSocket)
            }
        };
        let tls = tls::config(route.roots(), identity.as_ref(), alpn)?;
        route.load_proxy_roots()?;
        let blocking_key = identity.filter(Identity::blocks).map(|_| Arc::default());
        Ok(Self {
            shared: Arc::new(Shared { endpoint, port, route, tls, blocking_key, carrier, auth: kind }),
        })
    }

    /// The broker as `host:port`.
    pub(crate) fn target(&self) -> String {
        self.shared.endpoint.authority(self.shared.port)
    }

    /// The broker's host and port.
    pub(crate) fn endpoint(&self) -> (&str, u16) {
        (self.shared.endpoint.host(), self.shared.port)
    }

    /// The protocol that is offered by ALPN.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.shared.tls.alpn_protocols.first().map(Vec::as_slice)
    }

    /// The path of the WebSocket upgrade, without what is signed; `None` when there is no WebSocket.
    pub(crate) fn websocket_path(&self) -> Option<&'static str> {
        match self.shared.carrier {
            Carrier::Tls => None,
            Carrier::WebSocket | Carrier::SignedWebSocket(_) => Some(WEBSOCKET_PATH),
        }
    }

    /// Who the connections are made as, for the errors of those that are refused.
    pub(crate) fn auth_kind(&self) -> AuthKind {
        match &self.shared.carrier {
            Carrier::SignedWebSocket(signer) => signer.auth_kind(),
            Carrier::Tls | Carrier::WebSocket => self.shared.auth.clone(),
        }
    }

    /// The proxy on the way to the broker, as messages name it.
    pub(crate) fn proxy(&self) -> Option<String> {
        let Shared { route, endpoint, .. } = &*self.shared;
        route.proxy_for(endpoint.host()).ok().flatten().map(ToString::to_string)
    }

    /// Opens a connection that is ready for MQTT's CONNECT, and reports each step to `timeline`.
    ///
    /// There is no deadline in here: the caller puts one around the whole.
    ///
    /// # Errors
    /// One of the transport's errors, naming the layer that failed.
    pub(crate) async fn dial(&self, timeline: &Timeline) -> Result<Stream, Error> {
        match &self.shared.carrier {
            Carrier::Tls => self.dial_tls(timeline).await,
            Carrier::WebSocket => {
                let stream = self.dial_tls(timeline).await?;
                self.upgrade(stream, WEBSOCKET_PATH, self.auth_kind(), timeline).await
            }
            Carrier::SignedWebSocket(signer) => self.dial_signed(&**signer, timeline).await,
        }
    }

    /// Credentials can be refused before their time: revoked, or outlived by the session of their role. Those that
    /// were kept from an earlier connection are resolved anew once; what is refused then is refused for good.
    async fn dial_signed(&self, signer: &dyn SignUpgrade, timeline: &Timeline) -> Result<Stream, Error> {
        match self.try_signed(signer, timeline).await? {
            (true, Err(ref error @ Error::UpgradeRefused { ref refusal, .. }))
                if matches!(refusal.status, 401 | 403) =>
            {
                log::info!(
                    "the credentials of an earlier connection are refused ({refusal}): resolving new ones"
                );
                signer.forget().await;
                timeline.end_failed(error);
                let (_, outcome) = self.try_signed(signer, timeline).await?;
                outcome
            }
            (_, outcome) => outcome,
        }
    }

    /// Returns whether kept credentials have signed, and the outcome of the upgrade.
    async fn try_signed(
        &self,
        signer: &dyn SignUpgrade,
        timeline: &Timeline,
    ) -> Result<(bool, Result<Stream, Error>), Error> {
        // Both at once; the signature comes after both, so that its time is as fresh as it can be.
        let prepared = signer.prepare(&self.shared.route, timeline);
        let (stream, prepared) = tokio::try_join!(self.dial_tls(timeline), prepared)?;
        let path = (prepared.sign)(&self.host_header())
            .map_err(|source| Error::Signing { target: self.target(), source })?;
        let outcome = self.upgrade(stream, &path, prepared.auth, timeline).await;
        Ok((prepared.kept, outcome))
    }

    async fn dial_tls(&self, timeline: &Timeline) -> Result<Stream, Error> {
        let Shared { endpoint, port, route, tls, blocking_key, .. } = &*self.shared;
        let stream = route.connect(endpoint.host(), *port, timeline).await?;

        let step = timeline.step(Layer::Tls);
        let (config, host, target) = (Arc::clone(tls), endpoint.host(), self.target());
        let stream = tls::connect(config, host, stream, &target, blocking_key.as_ref()).await;
        let stream = stream.map_err(|error| route.explain(host, error))?;
        step.done(tls::describe(&stream));

        Ok(Box::new(stream))
    }

    /// Turns `stream` into WebSocket with GET `path`, a secret as it may be signed.
    async fn upgrade(
        &self,
        stream: Stream,
        path: &str,
        auth: AuthKind,
        timeline: &Timeline,
    ) -> Result<Stream, Error> {
        let step = timeline.step(Layer::WebSocket);
        let stream = websocket::upgrade(stream, &self.host_header(), path, &self.target()).await;
        let stream = stream.map_err(|error| match error {
            iot_transport::Error::UpgradeRefused { target, refusal } => {
                step.note(Detail::WebSocket { status: refusal.status });
                Error::UpgradeRefused { target, refusal, auth }
            }
            other => other.into(),
        })?;
        step.done(Detail::WebSocket { status: 101 });
        Ok(stream)
    }

    fn host_header(&self) -> String {
        websocket::host_header(self.shared.endpoint.host(), self.shared.port)
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
