//! What lets the client in changes while it is connected.

use std::fs;
use std::time::{Duration, Instant};

use common::{CredentialSource, SigV4, X509Credentials};
use iot_client::custom_auth::CustomAuthorizer;
use iot_client::{Auth, ClientOptions, CustomAuthTransport, Error, MqttVersion};
use iot_transport::{Endpoint, Error as TransportError, Identity, Roots};
use sandbox::{Authorizer, Principal, Sandbox};

use crate::journal::Journal;
use crate::row::Row;
use crate::support::{connect, device_on, options};
use crate::{VERSIONS, quick, relay_to};

/// A policy for everything, so that a test that is about something else is not about policies.
pub(crate) const ALLOW_ALL: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}"#;

/// Credentials of AWS IoT's credentials provider: temporary, and from a source that needs no environment.
fn temporary(sandbox: &Sandbox) -> Auth {
    let (device, provider) = (sandbox.device(), sandbox.credentials_provider());
    let endpoint = Endpoint::parse_with_port(&provider.endpoint).unwrap();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
    let credentials = X509Credentials::new(endpoint, provider.role_alias.parse().unwrap(), identity);
    Auth::from(SigV4::new(CredentialSource::X509(credentials), sandbox.region().to_owned()))
}

#[tokio::test]
async fn credentials_that_expire_are_replaced() {
    for lifetime in [Duration::from_secs(5), Duration::from_secs(3600)] {
        let sandbox = Sandbox::builder().credentials_lifetime(lifetime).start().unwrap();
        sandbox.set_policies(Principal::Role, &[ALLOW_ALL.to_owned()]).unwrap();
        let relay = relay_to(sandbox.https_port());
        let options = quick(options(&sandbox, relay.port(), temporary(&sandbox), "test-1"), MqttVersion::V5);
        let name = format!("credentials for {} s expire", lifetime.as_secs());
        let mut row = Row::start(&name, &sandbox, options).await;
        for _ in 0..3 {
            sandbox.expire_credentials();
            let cut = Instant::now();
            relay.cut();
            row.disconnected().await;
            row.recovered(cut).await;
            row.progress(20).await;
        }
        row.finish().await;
        let connections = sandbox.connections();
        let mut keys: Vec<_> =
            connections.into_iter().filter_map(|connection| connection.access_key_id).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 4, "each connection has credentials of its own: {keys:?}");
    }
}

/// Somebody rotates the key in the file, and gets it wrong.
#[tokio::test]
async fn a_wrong_signature_stops_the_client_while_the_clocks_agree() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.set_policies(Principal::Iam, &[ALLOW_ALL.to_owned()]).unwrap();
    let relay = relay_to(sandbox.https_port());
    let folder = tempfile::tempdir().unwrap();
    let (credentials_file, config_file) = (folder.path().join("credentials"), folder.path().join("config"));
    fs::copy(sandbox.credentials_file(), &credentials_file).unwrap();
    fs::write(&config_file, "").unwrap();
    let credentials = CredentialSource::Profile {
        name: Some("default".to_owned()),
        config_file: Some(config_file),
        credentials_file: Some(credentials_file.clone()),
    };
    let auth = Auth::from(SigV4::new(credentials, sandbox.region().to_owned()));
    let (_client, events) =
        connect(quick(options(&sandbox, relay.port(), auth, "test-1"), MqttVersion::V5)).await;
    let mut journal = Journal::of(events);
    let right = fs::read_to_string(&credentials_file).unwrap();
    let wrong = right.replace(&sandbox.credentials().secret_access_key, "wrong");
    assert_ne!(wrong, right);
    fs::write(&credentials_file, wrong).unwrap();
    relay.cut();
    journal.disconnected().await;
    let error = journal.stopped().await;
    let Error::UpgradeRefused { refusal, .. } = &*error else { panic!("{error:?}") };
    assert_eq!(refusal.status, 403);
    assert!(error.hint().unwrap().contains("secret access key"), "{error:?}");
    assert_eq!(relay.connections(), 2, "it was tried once");
}

#[tokio::test]
async fn an_authorizer_that_says_no_by_now_stops_the_client() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        sandbox.set_policies(Principal::Authorizer, &[ALLOW_ALL.to_owned()]).unwrap();
        let relay = relay_to(sandbox.https_port());
        let known = &sandbox.authorizers().unsigned;
        let password = known.password.clone().into();
        let authorizer = CustomAuthorizer::new(
            Some(known.name.clone()),
            Some(known.username.clone()),
            Some(password),
            None,
        )
        .unwrap();
        let auth = Auth::CustomAuthorizer { authorizer, transport: CustomAuthTransport::Mqtt };
        let (_client, events) =
            connect(quick(options(&sandbox, relay.port(), auth, "test-1"), version)).await;
        let mut journal = Journal::of(events);
        // It is asked for each connection.
        relay.cut();
        journal.disconnected().await;
        journal.connected().await;
        // One without users lets nobody in.
        sandbox.set_authorizer(Authorizer::new(&known.name)).unwrap();
        relay.cut();
        journal.disconnected().await;
        let error = journal.stopped().await;
        let Error::ConnectRefused { code, .. } = &*error else { panic!("{error:?}") };
        assert!(code.is_not_authorized(), "{error:?}");
        assert!(error.hint().unwrap().contains(&known.name), "{error:?}");
        assert_eq!(relay.connections(), 3, "it was tried once");
    }
}

/// The certificate is withdrawn: here by a broker that does not know the CA that it is of.
#[tokio::test]
async fn a_client_certificate_that_is_refused_by_now_stops_the_client() {
    for version in VERSIONS {
        let [sandbox, strict] = [0, 1].map(|_| Sandbox::start().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let both = folder.path().join("ca.pem");
        let [one, other] = [&sandbox, &strict].map(|one| fs::read_to_string(one.ca_file()).unwrap());
        fs::write(&both, one + &other).unwrap();
        let device = sandbox.device();
        let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let endpoint = Endpoint::parse("localhost").unwrap().with_port(relay.port());
        let options =
            ClientOptions::new(endpoint, Auth::MutualTls(identity), Roots::from_file(&both), "test-1");
        let (_client, events) = connect(quick(options.unwrap(), version)).await;
        let mut journal = Journal::of(events);
        relay.redirect(strict.mqtt_port());
        relay.cut();
        journal.disconnected().await;
        let error = journal.stopped().await;
        assert!(matches!(*error, Error::Transport(TransportError::CertificateRejected { .. })), "{error:?}");
        assert!(error.hint().unwrap().contains("registered in this account"), "{error:?}");
        assert_eq!(relay.connections(), 2, "it was tried once");
    }
}

#[tokio::test]
async fn a_policy_that_is_removed_stops_the_client() {
    for version in VERSIONS {
        let sandbox = Sandbox::start().unwrap();
        let relay = relay_to(sandbox.mqtt_port());
        let (_client, events) = connect(quick(device_on(&sandbox, relay.port(), "test-1"), version)).await;
        let mut journal = Journal::of(events);
        sandbox.set_policies(Principal::Device, &[]).unwrap();
        relay.cut();
        journal.disconnected().await;
        let error = journal.stopped().await;
        assert!(matches!(*error, Error::ConnectRefused { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("iot:Connect on client/test-1"), "{error:?}");
        assert_eq!(relay.connections(), 2, "it was tried once");
    }
}
