//! What the client's tests share.

use std::time::Duration;

use iot_client::{Auth, Client, ClientOptions, Events, Quotas};
use iot_transport::{Endpoint, Identity, Roots};
use sandbox::Sandbox;
use tokio::time::{Instant, interval};

/// Options for the device's mutual TLS, on `port`.
pub(crate) fn device_on(sandbox: &Sandbox, port: u16, client_id: &str) -> ClientOptions {
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file).unwrap();
    options(sandbox, port, Auth::MutualTls(identity), client_id)
}

/// Options for the device's mutual TLS.
#[allow(dead_code, reason = "not every user of this file needs it")]
pub(crate) fn device(sandbox: &Sandbox, client_id: &str) -> ClientOptions {
    device_on(sandbox, sandbox.mqtt_port(), client_id)
}

/// Options for `auth`, on `port`.
pub(crate) fn options(sandbox: &Sandbox, port: u16, auth: Auth, client_id: &str) -> ClientOptions {
    let endpoint = Endpoint::parse(sandbox.endpoint()).unwrap().with_port(port);
    let mut options =
        ClientOptions::new(endpoint, auth, Roots::from_file(sandbox.ca_file()), client_id).unwrap();
    // A broker that is back should not be waited for.
    options.reconnect_minimum = Duration::from_millis(50);
    options.reconnect_maximum = Duration::from_millis(200);
    options.connect_interval = Duration::from_millis(10);
    // Nor should the tests take the time that AWS's quotas ask for.
    options.quotas = Quotas::none();
    options
}

pub(crate) async fn connect(options: ClientOptions) -> (Client, Events) {
    Client::connect(options).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Waits until `condition` holds, for half a minute at most: for what happens on threads that nobody can wait for.
#[allow(dead_code, reason = "not every user of this file needs it")]
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut tick = interval(Duration::from_millis(10));
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tick.tick().await;
    }
}

/// A policy for everything, so that a test that is about something else is not about policies.
#[allow(dead_code, reason = "not every user of this file needs it")]
pub(crate) fn allow_all() -> String {
    let all = r#"{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}"#;
    format!(r#"{{"Version": "2012-10-17", "Statement": [{all}]}}"#)
}
