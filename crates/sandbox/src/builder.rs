//! Sets up a sandbox.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use crate::account::Account;
use crate::authorizer::{self, AuthorizerTable, Examples};
use crate::clock::Clock;
use crate::connections::ConnectionLog;
use crate::credentials::{CredentialStore, Credentials, Holder, Known};
use crate::limits::Patience;
use crate::listen::listen;
use crate::names::{ACCOUNT_ID, REGION};
use crate::pki::{Authority, ServerCertificate};
use crate::policy::PolicyStore;
use crate::proxy::ProxyServers;
use crate::received::Recorders;
use crate::running::{Listeners, Running};
use crate::sandbox::Sandbox;
use crate::secret;
use crate::services::{Places, Services, Settings};
use crate::sigv4::Verifier;
use crate::state::StateDirectory;
use crate::things::Things;
use crate::tls::{Configurations, TlsVersions};

/// The thing whose certificate is made at the start.
const DEVICE: &str = "sandbox-thing";

/// The settings of a sandbox.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    mqtt_port: u16,
    https_port: u16,
    state_dir: Option<PathBuf>,
    policies_dir: PathBuf,
    clock_offset_seconds: i64,
    server_certificate: ServerCertificate,
    tls_versions: TlsVersions,
    services: Settings,
    authorizer_second: Duration,
}

impl Sandbox {
    /// Starts one on free ports, with its files in a private temporary directory.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start() -> anyhow::Result<Sandbox> {
        Sandbox::builder().start()
    }

    /// The settings to start one with.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            mqtt_port: 0,
            https_port: 0,
            state_dir: None,
            policies_dir: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies")),
            clock_offset_seconds: 0,
            server_certificate: ServerCertificate::default(),
            tls_versions: TlsVersions::default(),
            services: Settings::default(),
            authorizer_second: Patience::default().authorizer_second,
        }
    }
}

impl Builder {
    /// The port for mutual TLS; 0, the default, takes a free one.
    pub fn mqtt_port(mut self, port: u16) -> Self {
        self.mqtt_port = port;
        self
    }

    /// The port for WebSockets, and by ALPN for mutual TLS and custom authorizers; 0, the default, takes a free one.
    pub fn https_port(mut self, port: u16) -> Self {
        self.https_port = port;
        self
    }

    /// Where to write certificates and credentials; made if it is not there, kept when the sandbox stops. By default
    /// a private temporary directory that is removed on drop.
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// The directory whose `*.json` are the policies of all principals; by default `policies` of the workspace. In
    /// the documents `${region}` and `${account}` are filled in.
    pub fn policies_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.policies_dir = directory.into();
        self
    }

    /// How much the sandbox's clock, by which signatures are judged and the `Date` header is written, is ahead of the
    /// real time; negative when it is behind.
    pub fn clock_offset_seconds(mut self, seconds: i64) -> Self {
        self.clock_offset_seconds = seconds;
        self
    }

    /// The certificate to present to clients.
    pub fn server_certificate(mut self, certificate: ServerCertificate) -> Self {
        self.server_certificate = certificate;
        self
    }

    /// The versions of TLS to speak.
    pub fn tls_versions(mut self, versions: TlsVersions) -> Self {
        self.tls_versions = versions;
        self
    }

    /// For how long credentials are good that Cognito, STS, SSO, the metadata services and the credentials provider give
    /// out; by default an hour. It holds whatever a request asks for.
    pub fn credentials_lifetime(mut self, lifetime: Duration) -> Self {
        self.services.lifetime = lifetime;
        self
    }

    /// How long the metadata services (IMDSv2 and the endpoint of containers) wait before each of their answers; by
    /// default they do not.
    pub fn metadata_delay(mut self, delay: Duration) -> Self {
        self.services.metadata_delay = delay;
        self
    }

    /// How long a second of a custom authorizer's `disconnectAfterInSeconds` and `refreshAfterInSeconds` lasts; by
    /// default a second. The least that AWS IoT allows is 300 of them, which is long for a test.
    pub fn authorizer_second(mut self, second: Duration) -> Self {
        self.authorizer_second = second;
        self
    }

    /// Starts the sandbox; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// A port in use ([`ListenError`](crate::ListenError)), a directory that cannot be written or that another sandbox uses, policies that
    /// are missing or not valid.
    pub fn start(self) -> anyhow::Result<Sandbox> {
        let policies = Arc::new(PolicyStore::new(REGION, ACCOUNT_ID));
        let documents = policies.attach_directory(&self.policies_dir)?;
        let listeners = Listeners {
            mqtt: listen(self.mqtt_port)?,
            https: listen(self.https_port)?,
            metadata: listen(0)?,
        };
        let mqtt_port = listeners.mqtt.local_addr().context("cannot learn the port")?.port();
        let https_port = listeners.https.local_addr().context("cannot learn the port")?.port();
        let metadata_port = listeners.metadata.local_addr().context("cannot learn the port")?.port();

        let authority = Authority::new(&format!("Sandbox CA {}", Uuid::new_v4()))?;
        let server = authority.issue_server(self.server_certificate)?;
        let state = StateDirectory::open(self.state_dir.as_deref())?;
        // One that was killed leaves it behind.
        state.remove_contract()?;
        let ca_file = state.write("ca.pem", authority.certificate_pem().as_bytes())?;
        let things = Things::default();
        let identity = authority.issue_device(DEVICE)?;
        things.register(DEVICE, identity.certificate_der())?;
        let device = state.write_device(DEVICE, &identity)?;

        let credentials = Credentials::generate()?;
        let expired_credentials = Credentials::generate()?;
        let credentials_file = state.write("credentials", credentials.to_ini().as_bytes())?;
        let clock = Clock::offset_by(self.clock_offset_seconds);
        let store = Arc::new(CredentialStore::default());
        for (credentials, expires) in [(&credentials, None), (&expired_credentials, Some(clock.now()))] {
            store.add(Known { credentials: credentials.clone(), holder: Holder::Iam, expires });
        }
        let web_identity_token = secret::token()?;
        let web_identity_token_file = state.write("web_identity_token", web_identity_token.as_bytes())?;
        let login_cache_directory = state.path().to_owned();
        let places = Places { https_port, metadata_port, web_identity_token_file, login_cache_directory };
        let services = Services::new(self.services, places, web_identity_token, Arc::clone(&store))?;
        services.log_in(&state, clock.now())?;
        let services = Arc::new(services);

        let examples = Examples::generate(&authorizer::merge(&documents)?)?;
        let authorizers = AuthorizerTable::default();
        for authorizer in examples.table {
            authorizers.set(authorizer)?;
        }

        let tls = Configurations::new(&authority, &server, self.tls_versions)?;
        let proxy_tls = Arc::clone(&tls.proxy);
        let account = Arc::new(Account {
            clock,
            tls: RwLock::new(tls),
            policies,
            things,
            authorizers,
            verifier: Verifier { region: REGION.to_owned(), credentials: store },
            connections: ConnectionLog::default(),
            recorders: Recorders::default(),
            patience: Patience { authorizer_second: self.authorizer_second, ..Patience::default() },
            refusals: Mutex::new(VecDeque::new()),
        });
        let running = Running::start(Arc::clone(&account), Arc::clone(&services), listeners)?;
        let proxies = ProxyServers::start(running.handle(), proxy_tls)?;
        Ok(Sandbox {
            running: Some(running),
            reserved: Vec::new(),
            proxies,
            account,
            services,
            authority,
            tls_versions: self.tls_versions,
            state,
            mqtt_port,
            https_port,
            metadata_port,
            ca_file,
            credentials_file,
            device,
            credentials,
            expired_credentials,
            authorizers: examples.client,
        })
    }
}
