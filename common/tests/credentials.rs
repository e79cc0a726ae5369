//! Temporary credentials that end while they are in use.

#[allow(dead_code, reason = "each of the test files uses its part")]
mod support;

use std::env;
use std::process::Command;
use std::time::Duration;

use common::{CognitoIdentity, CredentialSource, RoleAlias, SigV4, X509Credentials};
use iot_client::{Auth, ClientOptions, Error, Event, Events, Message, QoS};
use iot_transport::{Endpoint, Identity, Roots};
use sandbox::{CredentialEndpoint, CredentialOutcome, Principal, Sandbox};
use support::{connect, options};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

/// Credentials of AWS IoT's credentials provider: a source that needs no environment.
fn x509(sandbox: &Sandbox) -> Auth {
    let device = sandbox.device();
    let provider = sandbox.credentials_provider();
    let endpoint = Endpoint::parse_with_port(&provider.endpoint).unwrap();
    let role_alias: RoleAlias = provider.role_alias.parse().unwrap();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
    Auth::from(SigV4::new(
        CredentialSource::X509(X509Credentials::new(endpoint, role_alias, identity)),
        sandbox.region().to_owned(),
    ))
}

/// The access keys that the connections so far were signed with.
fn access_keys(sandbox: &Sandbox) -> Vec<String> {
    sandbox.connections().into_iter().filter_map(|connection| connection.access_key_id).collect()
}

/// Waits for the next connection; a failed attempt is a failure here.
async fn reconnected(events: &mut Events) {
    let connected = async {
        loop {
            match events.next().await {
                Some(Event::Connected { .. }) => return,
                Some(Event::Attempting | Event::Disconnected { .. } | Event::Message(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(LIMIT, connected).await.unwrap();
}

/// Connects, lets the credentials expire, shows that the connection stays, and has the broker end it.
async fn outlives_its_credentials(sandbox: &Sandbox) {
    let (client, mut events) = connect(options(sandbox, sandbox.https_port(), x509(sandbox), "test-1")).await;
    reconnected(&mut events).await;
    sandbox.expire_credentials();
    client.subscribe("test/topic", QoS::AtLeastOnce).await.unwrap();
    client.publish(Message::new("test/topic", "still here")).await.unwrap();
    let message = events.message("test/topic", LIMIT).await.unwrap();
    assert_eq!(message.payload, b"still here");
    assert_eq!(access_keys(sandbox).len(), 1, "it is the same connection");

    assert!(sandbox.disconnect("test-1", 0x8b, None));
    reconnected(&mut events).await;
    client.publish(Message::new("test/topic", "back")).await.unwrap();
    let keys = access_keys(sandbox);
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    client.disconnect().await.unwrap();
}

#[tokio::test]
async fn credentials_that_expire_while_connected_are_renewed_for_the_next_connection() {
    // Shorter than the margin that is kept: they are never used twice.
    let sandbox = Sandbox::builder().credentials_lifetime(Duration::from_secs(5)).start().unwrap();
    outlives_its_credentials(&sandbox).await;
}

#[tokio::test]
async fn credentials_that_end_before_their_time_are_renewed_within_the_attempt() {
    let sandbox = Sandbox::start().unwrap();
    outlives_its_credentials(&sandbox).await;
}

#[tokio::test]
async fn credentials_serve_until_they_expire() {
    let sandbox = Sandbox::start().unwrap();
    let (client, mut events) =
        connect(options(&sandbox, sandbox.https_port(), x509(&sandbox), "test-1")).await;
    reconnected(&mut events).await;
    assert!(sandbox.disconnect("test-1", 0x8b, None));
    reconnected(&mut events).await;
    client.disconnect().await.unwrap();
    let keys = access_keys(&sandbox);
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    let asked = |endpoint| {
        let requests = sandbox.credential_requests();
        requests.iter().filter(|request| request.endpoint == endpoint).count()
    };
    assert_eq!(asked(CredentialEndpoint::CredentialsProvider), 1);
}

/// Where Cognito is comes from the environment alone, so this runs itself again with one.
#[tokio::test]
async fn a_pool_is_asked_for_an_identity_once() {
    const POOL: &str = "TEST_COGNITO_POOL";
    const PORT: &str = "TEST_HTTPS_PORT";
    const CA_FILE: &str = "TEST_CA_FILE";
    if let Ok(pool) = env::var(POOL) {
        let port = env::var(PORT).unwrap().parse().unwrap();
        return share_an_identity(&pool, port, env::var(CA_FILE).unwrap()).await;
    }
    let sandbox = Sandbox::start().unwrap();
    let again = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_pool_is_asked_for_an_identity_once"])
        .env_clear()
        .env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &sandbox.cognito().endpoint)
        .env(POOL, &sandbox.cognito().identity_pool_id)
        .env(PORT, sandbox.https_port().to_string())
        .env(CA_FILE, sandbox.ca_file())
        .output()
        .unwrap();
    assert!(again.status.success(), "{again:#?}");
    let outcomes: Vec<_> = sandbox.credential_requests().into_iter().map(|one| one.outcome).collect();
    assert!(
        matches!(
            outcomes[..],
            [CredentialOutcome::Answered, CredentialOutcome::Issued { .. }, CredentialOutcome::Issued { .. }]
        ),
        "{outcomes:?}"
    );
}

/// Two clients with the credentials of one pool's identity, at the same time.
async fn share_an_identity(pool: &str, port: u16, ca_file: String) {
    let identity = CognitoIdentity::of_pool(pool.parse().unwrap());
    assert_eq!(identity.id(), None);
    let connected = |client_id| {
        let auth =
            Auth::from(SigV4::new(CredentialSource::Cognito(identity.clone()), "us-east-1".to_owned()));
        let endpoint = Endpoint::parse("localhost").unwrap().with_port(port);
        connect(ClientOptions::new(endpoint, auth, Roots::from_file(&ca_file), client_id).unwrap())
    };
    let ((one, _), (other, _)) = tokio::join!(connected("test-1"), connected("test-2"));
    assert!(identity.id().is_some());
    one.disconnect().await.unwrap();
    other.disconnect().await.unwrap();
}

/// A service that says no to who asks will say it again: nobody should wait for a client that tries for ever.
#[tokio::test]
async fn a_refusal_of_the_source_ends_reconnecting() {
    // Shorter than the margin that is kept: the source is asked for each connection.
    let sandbox = Sandbox::builder().credentials_lifetime(Duration::from_secs(5)).start().unwrap();
    let (_client, mut events) =
        connect(options(&sandbox, sandbox.https_port(), x509(&sandbox), "test-1")).await;
    reconnected(&mut events).await;
    sandbox.set_policies(Principal::Device, &[]).unwrap();
    assert!(sandbox.disconnect("test-1", 0x8b, None));
    let stopped = async {
        loop {
            match events.next().await {
                Some(Event::Stopped { error: Some(error) }) => return error,
                Some(Event::Attempting | Event::Disconnected { .. } | Event::ConnectionFailed { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let error = timeout(LIMIT, stopped).await.unwrap();
    assert!(matches!(*error, Error::Credentials { .. }), "{error:?}");
}
