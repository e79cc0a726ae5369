//! The fault matrix: what the client does when the network, the broker, or what lets it in fails. Each row prints how many
//! messages were published and received (`cargo test -p common --test faults -- --nocapture`); docs/faults.md is the
//! table.

mod auth;
mod broker;
mod clock;
mod journal;
mod names;
mod network;
mod pacing;
mod partial;
mod reasons;
mod row;
mod sessions;
#[allow(dead_code, reason = "each of the test files uses its part")]
#[path = "../support/mod.rs"]
mod support;
mod takeover;

use std::time::Duration;

use iot_client::{ClientOptions, MqttVersion, Quotas};
use sandbox::relay::{Options, Relay};

const VERSIONS: [MqttVersion; 2] = [MqttVersion::V5, MqttVersion::V311];

/// How long anything may take that is waited for.
const LIMIT: Duration = Duration::from_secs(20);

/// Nothing but the protocol, as fast as it goes.
fn quick(mut options: ClientOptions, version: MqttVersion) -> ClientOptions {
    options.mqtt_version = version;
    options.quotas = Quotas::none();
    options.connect_interval = Duration::ZERO;
    options.connect_timeout = LIMIT / 2;
    options.operation_timeout = LIMIT;
    options
}

/// For faults that are noticed by silence: asks after a second of it, though the sandbox's Server Keep Alive is 30 s.
fn attentive(options: ClientOptions, version: MqttVersion) -> ClientOptions {
    let mut options = quick(options, version);
    options.keep_alive = Duration::from_secs(1);
    options.connect_timeout = Duration::from_secs(3);
    options
}

fn relay_to(port: u16) -> Relay {
    Relay::start(port, Options::default()).unwrap()
}
