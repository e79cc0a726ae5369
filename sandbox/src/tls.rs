//! The TLS configurations of the listeners.

use std::sync::Arc;

use anyhow::Context;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use crate::pki::{Authority, Identity};

/// ALPN of MQTT with a client certificate on the HTTPS port.
pub(crate) const ALPN_MQTT_CA: &str = "x-amzn-mqtt-ca";

/// One configuration for each way to connect.
#[derive(Clone, Debug)]
pub(crate) struct Configurations {
    /// A client certificate is required; ALPN is not looked at.
    pub(crate) mqtt: Arc<ServerConfig>,
    /// A client certificate is required, and ALPN `x-amzn-mqtt-ca`.
    pub(crate) mqtt_by_alpn: Arc<ServerConfig>,
    /// No client certificate is asked for; ALPN `http/1.1` or none.
    pub(crate) http: Arc<ServerConfig>,
}

impl Configurations {
    pub(crate) fn new(authority: &Authority, server: &Identity) -> anyhow::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider
            .key_provider
            .load_private_key(server.key_der())
            .context("cannot use the server's key")?;
        let certificate = Arc::new(CertifiedKey::new(vec![server.certificate_der().clone()], key));
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate_der().clone()).context("cannot trust the sandbox's CA")?;
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .context("cannot verify client certificates")?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(RequireServerName(certificate));

        let mqtt =
            builder(&provider)?.with_client_cert_verifier(clients).with_cert_resolver(Arc::clone(&resolver));
        let mut mqtt_by_alpn = mqtt.clone();
        mqtt_by_alpn.alpn_protocols = vec![ALPN_MQTT_CA.into()];
        let mut http = builder(&provider)?.with_no_client_auth().with_cert_resolver(resolver);
        http.alpn_protocols = vec!["http/1.1".into()];
        Ok(Configurations {
            mqtt: Arc::new(mqtt),
            mqtt_by_alpn: Arc::new(mqtt_by_alpn),
            http: Arc::new(http),
        })
    }
}

type Builder = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;

fn builder(provider: &Arc<CryptoProvider>) -> anyhow::Result<Builder> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
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
