//! The handle of a running sandbox.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio::net::TcpSocket;

use crate::account::Account;
use crate::authorizer::{Authorizer, AuthorizerCall, Authorizers};
use crate::connections::Connection;
use crate::credentials::Credentials;
use crate::device::Device;
use crate::limits;
use crate::listen::{listen_again, reserve};
use crate::names::{ACCOUNT_ID, ENDPOINT, REGION};
use crate::pki::{Authority, ServerCertificate};
use crate::policy::Principal;
use crate::proxy::{Proxied, Proxies, ProxyServers};
use crate::received::Recording;
use crate::running::{Listeners, Running};
use crate::services::{
    Cognito, CredentialRequest, CredentialsProvider, Metadata, Services, SignIn, Sso, Sts,
};
use crate::state::{CONTRACT_FILE, Contract, StateDirectory};
use crate::tls::{Configurations, TlsVersions};

/// A local AWS IoT Core. It runs on a thread of its own, so it can be used from synchronous and asynchronous code
/// alike, and stops on drop: listeners and connections are closed, the thread is joined.
pub struct Sandbox {
    /// `None` while stopped.
    pub(crate) running: Option<Running>,
    /// The ports while stopped: bound, so that no other program gets one, and refusing connections.
    pub(crate) reserved: Vec<TcpSocket>,
    pub(crate) proxies: ProxyServers,
    pub(crate) account: Arc<Account>,
    pub(crate) services: Arc<Services>,
    pub(crate) authority: Authority,
    pub(crate) tls_versions: TlsVersions,
    pub(crate) state: StateDirectory,
    pub(crate) mqtt_port: u16,
    pub(crate) https_port: u16,
    pub(crate) metadata_port: u16,
    pub(crate) ca_file: PathBuf,
    pub(crate) credentials_file: PathBuf,
    pub(crate) device: Device,
    pub(crate) credentials: Credentials,
    pub(crate) expired_credentials: Credentials,
    pub(crate) authorizers: Authorizers,
}

impl Sandbox {
    /// The host name to connect to: `localhost`.
    pub fn endpoint(&self) -> &str {
        ENDPOINT
    }

    /// The port for MQTT with a client certificate.
    pub fn mqtt_port(&self) -> u16 {
        self.mqtt_port
    }

    /// The port for MQTT over WebSocket, by ALPN `x-amzn-mqtt-ca` with a client certificate, and by ALPN `mqtt` with a
    /// custom authorizer.
    pub fn https_port(&self) -> u16 {
        self.https_port
    }

    /// The region that signatures and policies have to name.
    pub fn region(&self) -> &str {
        REGION
    }

    /// The account that policies have to name.
    pub fn account_id(&self) -> &str {
        ACCOUNT_ID
    }

    /// Where the sandbox's files are.
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// The CA to trust, PEM.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The device that was registered at the start.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The AWS credentials that the sandbox accepts.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The same as a shared credentials file with the profile `default`.
    pub fn credentials_file(&self) -> &Path {
        &self.credentials_file
    }

    /// Credentials that the sandbox knows and that have expired.
    pub fn expired_credentials(&self) -> &Credentials {
        &self.expired_credentials
    }

    /// The Amazon Cognito identity pool.
    pub fn cognito(&self) -> &Cognito {
        self.services.cognito()
    }

    /// AWS STS, for web identities.
    pub fn sts(&self) -> &Sts {
        &self.services.sts
    }

    /// The portal of IAM Identity Center.
    pub fn sso(&self) -> &Sso {
        &self.services.sso
    }

    /// AWS Sign-In.
    pub fn sign_in(&self) -> &SignIn {
        &self.services.sign_in
    }

    /// The metadata services of EC2 and of containers.
    pub fn metadata(&self) -> &Metadata {
        &self.services.metadata
    }

    /// AWS IoT's credentials provider.
    pub fn credentials_provider(&self) -> &CredentialsProvider {
        &self.services.credentials_provider
    }

    /// Refuses from now on, as expired, all credentials that the services have given out so far. Connections that were
    /// opened with them stay, and so do [`Sandbox::credentials`].
    pub fn expire_credentials(&self) {
        self.services.expire_issued();
    }

    /// Every request for credentials since the start, oldest first; of more than 10,000, the latest.
    pub fn credential_requests(&self) -> Vec<CredentialRequest> {
        self.services.log.snapshot()
    }

    /// The custom authorizers that were made at the start, and what a client needs to be let in by them.
    pub fn authorizers(&self) -> &Authorizers {
        &self.authorizers
    }

    /// Adds a custom authorizer, or replaces the one of that name; for connections that are open it holds from their
    /// next refresh on. In its policy documents `${region}` and `${account}` are filled in.
    ///
    /// # Errors
    ///
    /// A name that AWS IoT does not allow, or a public key that is no RSA key of 2048 bits or more.
    pub fn set_authorizer(&self, mut authorizer: Authorizer) -> anyhow::Result<()> {
        for document in &mut authorizer.policy_documents {
            *document = self.account.policies.fill(document);
        }
        self.account.authorizers.set(authorizer)
    }

    /// The invocations of custom authorizers since the start, oldest first; of more than 200, the latest. What clients
    /// had sent before the call is taken into account.
    pub fn authorizer_calls(&self) -> Vec<AuthorizerCall> {
        self.settle();
        self.account.authorizers.calls()
    }

    /// Replaces the policies of a principal, for connections that are open too. In the documents `${region}` and
    /// `${account}` are filled in. Those of [`Principal::Authorizer`] are what the authorizers of
    /// [`Sandbox::authorizers`] answer with.
    ///
    /// # Errors
    ///
    /// What AWS IoT would not store: JSON that is no policy, more than 10 documents, more than 2048 characters in one
    /// (white space aside). The policies stay as they were then.
    pub fn set_policies(&self, principal: Principal, documents: &[String]) -> anyhow::Result<()> {
        let account = &self.account;
        if principal != Principal::Authorizer {
            return account.policies.replace(principal, documents);
        }
        let policies = account.policies.parse(documents)?;
        let documents: Vec<_> = documents.iter().map(|text| account.policies.fill(text)).collect();
        for name in [&self.authorizers.unsigned.name, &self.authorizers.signed.name] {
            account.authorizers.replace_policies(name, &documents, &policies);
        }
        Ok(())
    }

    /// Every connection attempt since the start, oldest first; of more than 10,000, the latest. What TLS or HTTP has
    /// refused is not here. What clients had sent before the call is taken into account.
    pub fn connections(&self) -> Vec<Connection> {
        self.settle();
        self.account.connections.snapshot()
    }

    /// Waits until what has reached the sandbox's sockets is dealt with.
    fn settle(&self) {
        if let Some(running) = &self.running {
            running.settle();
        }
    }

    /// Makes a further device: a thing of that name with a certificate of the sandbox's CA.
    ///
    /// # Errors
    ///
    /// A name that AWS IoT does not allow for a thing, or files that cannot be written.
    pub fn issue_device(&self, name: &str) -> anyhow::Result<Device> {
        let identity = self.authority.issue_device(name)?;
        let device = self.state.write_device(name, &identity)?;
        self.account.things.register(name, identity.certificate_der())?;
        Ok(device)
    }

    /// Registers a further device whose key its owner keeps, in a token say: a thing of that name with a certificate
    /// of the sandbox's CA for `public_key`, which is a SubjectPublicKeyInfo in DER (RFC 5280 §4.1). Returns the
    /// certificate's file, PEM.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::issue_device`], and what is no public key.
    pub fn certify_device(&self, name: &str, public_key: &[u8]) -> anyhow::Result<PathBuf> {
        let certificate = self.authority.certify(name, public_key)?;
        let file = self.state.write_certificate(name, &certificate.pem())?;
        self.account.things.register(name, certificate.der())?;
        Ok(file)
    }

    /// Makes a device whose certificate is by another CA: refused in the TLS handshake.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::issue_device`].
    pub fn issue_unregistered_device(&self, name: &str) -> anyhow::Result<Device> {
        let identity = Authority::new("Unknown device CA")?.issue_device(name)?;
        self.state.write_device(name, &identity)
    }

    /// Disconnects a client: on MQTT 5 by a DISCONNECT with this reason, on 3.1.1 by closing the connection. False
    /// when no client with this ID is connected.
    pub fn disconnect(&self, client_id: &str, reason: u8, reason_string: Option<&str>) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.broker().disconnect(client_id, reason, reason_string))
    }

    /// Refuses the next CONNECT of MQTT 5 with this reason code and reason string. Each call refuses one.
    pub fn refuse_next_connect(&self, code: u8, reason_string: &str) {
        self.account.refusals.lock().push_back((code, reason_string.to_owned()));
    }

    /// Publishes a message with QoS 1, as AWS's own services do: no policy of a publisher is asked.
    ///
    /// # Errors
    ///
    /// When the sandbox is stopped, the topic is not valid, or the payload is longer than 128 KiB.
    pub fn publish(&self, topic: &str, payload: &[u8]) -> anyhow::Result<()> {
        ensure!(limits::topic_name(topic).is_ok(), "{topic:?} is no topic to publish to");
        ensure!(payload.len() <= limits::PAYLOAD, "a payload of {} bytes is too long", payload.len());
        self.running.as_ref().context("the sandbox is stopped")?.publish(topic, payload)
    }

    /// Records what clients publish to `topic` from now on.
    pub fn record(&self, topic: &str) -> Recording {
        self.account.recorders.start(topic)
    }

    /// Steps the clock, by which signatures are judged and the `Date` header is written: it is ahead of the real time by
    /// so many seconds from now on, or behind when they are negative.
    pub fn set_clock_offset_seconds(&self, seconds: i64) {
        self.account.clock.step(seconds);
    }

    /// Proxies by which the sandbox can be reached, each on a free port. They lead to the loopback interface only.
    pub fn proxies(&self) -> &Proxies {
        self.proxies.urls()
    }

    /// Every request to the proxies since the start, oldest first; of more than 10,000, the latest. One that lacked the
    /// password is not here.
    pub fn proxied(&self) -> Vec<Proxied> {
        self.proxies.requests()
    }

    /// Closes the listeners and all connections at once. CA, ports, keys and policies stay for [`Sandbox::restart`];
    /// sessions and retained messages are gone.
    pub fn stop(&mut self) {
        if self.running.take().is_some() {
            let ports = [self.mqtt_port, self.https_port, self.metadata_port];
            self.reserved = ports.into_iter().filter_map(|port| reserve(port).ok()).collect();
        }
    }

    /// Starts again on the same ports, with the same CA, keys and policies and a broker without sessions. Stops first
    /// if need be.
    ///
    /// # Errors
    ///
    /// When another process has taken a port in the meantime and keeps it for two seconds.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop();
        self.reserved.clear();
        let listeners = Listeners {
            mqtt: listen_again(self.mqtt_port)?,
            https: listen_again(self.https_port)?,
            metadata: listen_again(self.metadata_port)?,
        };
        let running = Running::start(Arc::clone(&self.account), Arc::clone(&self.services), listeners)?;
        self.proxies.restart(running.handle())?;
        self.running = Some(running);
        Ok(())
    }

    /// As [`Sandbox::restart`], with a newly issued server certificate: another machine in the old one's place. The HTTPS
    /// proxy keeps its own.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::restart`].
    pub fn restart_with(&mut self, certificate: ServerCertificate) -> anyhow::Result<()> {
        self.stop();
        let server = self.authority.issue_server(certificate)?;
        *self.account.tls.write() = Configurations::new(&self.authority, &server, self.tls_versions)?;
        self.restart()
    }

    /// Writes `sandbox.json`, by which other programs find the sandbox, and returns its path.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write_contract(&self) -> anyhow::Result<PathBuf> {
        let contract = Contract {
            endpoint: ENDPOINT,
            mqtt_port: self.mqtt_port,
            https_port: self.https_port,
            region: REGION,
            account_id: ACCOUNT_ID,
            ca_file: &self.ca_file,
            device: &self.device,
            credentials: &self.credentials,
            cognito: self.cognito(),
            sts: self.sts(),
            sso: self.sso(),
            sign_in: self.sign_in(),
            metadata: self.metadata(),
            credentials_provider: self.credentials_provider(),
            authorizers: &self.authorizers,
            proxies: self.proxies(),
        };
        let mut json = serde_json::to_vec_pretty(&contract).context("cannot describe the sandbox")?;
        json.push(b'\n');
        self.state.write(CONTRACT_FILE, &json)
    }

    /// Removes `sandbox.json`, so that nobody looks for a sandbox that is gone.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be removed.
    pub fn remove_contract(&self) -> anyhow::Result<()> {
        self.state.remove_contract()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("running", &self.running.is_some())
            .field("mqtt_port", &self.mqtt_port)
            .field("https_port", &self.https_port)
            .field("state_dir", &self.state.path())
            .finish_non_exhaustive()
    }
}
