//! Opens the connections of a client: TCP, TLS, and WebSocket where the authentication method asks for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use rustls::ClientConfig;
use tokio::sync::Mutex;

use crate::auth::{Auth, CustomAuthTransport};
use crate::credentials::{CredentialSource, Provider, Resolved};
use crate::error::{AuthKind, Error};
use crate::sigv4::{self, SigningRequest};
use iot_transport::Cause;
use iot_transport::Endpoint;
use iot_transport::Layer;
use iot_transport::timeline::{Detail, Timeline};
use iot_transport::{Identity, Route, Stream, tls, websocket};

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
    SignedWebSocket(Box<Signer>),
}

/// What signs the WebSocket upgrade.
#[derive(Debug)]
struct Signer {
    provider: Provider,
    region: String,
}

impl Dialer {
    /// Prepares what all connections share: the port, the route, the TLS configuration.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Identity`] when the roots cannot be loaded, [`Error::Settings`] when the
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
            Auth::SigV4 { region, .. } if region.is_empty() => {
                return Err(Error::Settings("the signing region is empty".to_owned()));
            }
            Auth::SigV4 { credentials, region } => {
                if let CredentialSource::X509(provider) = &credentials {
                    provider.load_roots()?;
                }
                let provider = Provider::new(credentials, region.clone(), &route);
                (None, Carrier::SignedWebSocket(Box::new(Signer { provider, region })))
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
            Carrier::WebSocket | Carrier::SignedWebSocket(_) => Some(sigv4::PATH),
        }
    }

    /// Who the connections are made as, for the errors of those that are refused.
    pub(crate) fn auth_kind(&self) -> AuthKind {
        match &self.shared.carrier {
            Carrier::SignedWebSocket(signer) => AuthKind::Credentials {
                cognito_identity: signer.provider.cognito_identity().map(ToString::to_string),
            },
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
                self.upgrade(stream, sigv4::PATH, self.auth_kind(), timeline).await
            }
            Carrier::SignedWebSocket(signer) => self.dial_signed(signer, timeline).await,
        }
    }

    /// Credentials can be refused before their time: revoked, or outlived by the session of their role. Those that
    /// were kept from an earlier connection are resolved anew once; what is refused then is refused for good.
    async fn dial_signed(&self, signer: &Signer, timeline: &Timeline) -> Result<Stream, Error> {
        match self.try_signed(signer, timeline).await? {
            (Resolved::Kept(_), Err(ref error @ Error::UpgradeRefused { ref refusal, .. }))
                if matches!(refusal.status, 401 | 403) =>
            {
                log::info!(
                    "the credentials of an earlier connection are refused ({refusal}): resolving new ones"
                );
                signer.provider.forget().await;
                timeline.end_failed(error);
                let (_, outcome) = self.try_signed(signer, timeline).await?;
                outcome
            }
            (_, outcome) => outcome,
        }
    }

    /// What became of the upgrade, and of which credentials' signature.
    async fn try_signed(
        &self,
        signer: &Signer,
        timeline: &Timeline,
    ) -> Result<(Resolved, Result<Stream, Error>), Error> {
        // Both at once; the signature comes after both, so that its time is as fresh as it can be.
        let (stream, resolved) = tokio::try_join!(self.dial_tls(timeline), signer.credentials(timeline))?;
        let path = signer
            .sign(&self.host_header(), resolved.credentials())
            .map_err(|source| Error::Signing { target: self.target(), source })?;
        let auth = self.auth_kind().signed_with(resolved.credentials());
        let outcome = self.upgrade(stream, &path, auth, timeline).await;
        Ok((resolved, outcome))
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
        sigv4::host_header(self.shared.endpoint.host(), self.shared.port)
    }
}

impl Signer {
    async fn credentials(&self, timeline: &Timeline) -> Result<Resolved, Error> {
        let step = timeline.step(Layer::Credentials);
        let resolved = self.provider.resolve().await?;
        step.done(self.provider.describe(&resolved));
        Ok(resolved)
    }

    /// The path and the signed query of an upgrade at this moment.
    fn sign(&self, host_header: &str, credentials: &Credentials) -> Result<String, Cause> {
        sigv4::presign(&SigningRequest {
            host_header,
            region: &self.region,
            credentials,
            time: SystemTime::now(),
            expires: SIGNATURE_EXPIRES,
        })
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
