//! The TLS configurations of the listeners.

use std::sync::Arc;

use anyhow::Context;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::pki::{Authority, Identity};

/// ALPN of MQTT with a client certificate on the HTTPS port.
pub(crate) const ALPN_MQTT_CA: &str = "x-amzn-mqtt-ca";
/// ALPN of MQTT with a custom authorizer.
pub(crate) const ALPN_MQTT: &str = "mqtt";

/// The versions of TLS that the sandbox speaks, for tests of the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsVersions {
    /// 1.2 and 1.3, as AWS IoT Core does.
    #[default]
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

impl TlsVersions {
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            TlsVersions::Both => rustls::DEFAULT_VERSIONS.to_vec(),
            TlsVersions::Only12 => vec![&rustls::version::TLS12],
            TlsVersions::Only13 => vec![&rustls::version::TLS13],
        }
    }
}

/// One configuration for each way to connect.
#[derive(Clone, Debug)]
pub(crate) struct Configurations {
    /// A client certificate is required; ALPN is not looked at.
    pub(crate) mqtt: Arc<ServerConfig>,
    /// A client certificate is required, and ALPN `x-amzn-mqtt-ca`.
    pub(crate) mqtt_by_alpn: Arc<ServerConfig>,
    /// No client certificate is asked for; ALPN `mqtt`.
    pub(crate) custom_authorizer: Arc<ServerConfig>,
    /// A client certificate is taken but not required, since only the IoT credentials provider needs one; one that is
    /// not by the sandbox's CA ends the handshake. ALPN `http/1.1` or none.
    pub(crate) http: Arc<ServerConfig>,
    /// For the proxy: the same certificate, and no server name is required.
    pub(crate) proxy: Arc<ServerConfig>,
}

impl Configurations {
    pub(crate) fn new(
        authority: &Authority,
        server: &Identity,
        versions: TlsVersions,
    ) -> anyhow::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider
            .key_provider
            .load_private_key(server.key_der())
            .context("cannot use the server's key")?;
        let certificate = CertifiedKey::new(vec![server.certificate_der().clone()], key);
        let for_any_name = Arc::new(SingleCertAndKey::from(certificate.clone()));
        let certificate = Arc::new(certificate);
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate_der().clone()).context("cannot trust the sandbox's CA")?;
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let optional = clients.clone().allow_unauthenticated();
        let required = clients.build().context("cannot verify client certificates")?;
        let optional = optional.build().context("cannot verify client certificates")?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(RequireServerName(certificate));

        let mqtt = builder(&provider, versions)?
            .with_client_cert_verifier(required)
            .with_cert_resolver(Arc::clone(&resolver));
        let mut mqtt_by_alpn = mqtt.clone();
        mqtt_by_alpn.alpn_protocols = vec![ALPN_MQTT_CA.into()];
        let mut custom_authorizer =
            builder(&provider, versions)?.with_no_client_auth().with_cert_resolver(Arc::clone(&resolver));
        custom_authorizer.alpn_protocols = vec![ALPN_MQTT.into()];
        let mut http =
            builder(&provider, versions)?.with_client_cert_verifier(optional).with_cert_resolver(resolver);
        http.alpn_protocols = vec!["http/1.1".into()];
        let mut proxy = builder(&provider, versions)?.with_no_client_auth().with_cert_resolver(for_any_name);
        proxy.alpn_protocols.clone_from(&http.alpn_protocols);
        Ok(Configurations {
            mqtt: Arc::new(mqtt),
            mqtt_by_alpn: Arc::new(mqtt_by_alpn),
            custom_authorizer: Arc::new(custom_authorizer),
            http: Arc::new(http),
            proxy: Arc::new(proxy),
        })
    }
}

type Builder = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;

fn builder(provider: &Arc<CryptoProvider>, versions: TlsVersions) -> anyhow::Result<Builder> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions.supported())
        .context("cannot set up TLS")
}

/// AWS IoT refuses a handshake without Server Name Indication. A client that connects by IP address sends none.
#[derive(Debug)]
struct RequireServerName(Arc<CertifiedKey>);

impl ResolvesServerCert for RequireServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello.server_name().map(|_| Arc::clone(&self.0))
    }
}
