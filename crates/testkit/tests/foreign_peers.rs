//! The sandbox as other software sees it: the official Python client connects, is heard, and is refused where AWS
//! would refuse it. A sandbox that only our own client can talk to would prove nothing about that client.

use std::process::Command;

use sandbox::{Device, Sandbox};
use serde_json::Value;
use testkit::peer::{self, PeerOutcome};

/// MQTT 5, section 2.4: "Not authorized".
const NOT_AUTHORIZED: i32 = 0x87;

#[test]
fn by_mutual_tls_the_official_client_hears_its_own_message() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = PeerOutcome::of(&mut mutual_tls(&sandbox, sandbox.device()));
    outcome.heard_itself();
}

#[test]
fn by_sigv4_the_official_client_hears_its_own_message() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = PeerOutcome::of(&mut sigv4(&sandbox));
    outcome.heard_itself();
}

#[test]
fn a_wrong_secret_key_is_refused_before_mqtt() {
    let sandbox = Sandbox::start().unwrap();
    let mut peer = sigv4(&sandbox);
    peer.env("AWS_SECRET_ACCESS_KEY", "fakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE");
    assert_upgrade_refused(&PeerOutcome::of(&mut peer));
}

#[test]
fn a_missing_session_token_is_refused_before_mqtt() {
    let sandbox = Sandbox::start().unwrap();
    let mut peer = sigv4(&sandbox);
    peer.env_remove("AWS_SESSION_TOKEN");
    assert_upgrade_refused(&PeerOutcome::of(&mut peer));
}

#[test]
fn an_unregistered_certificate_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    let outcome = PeerOutcome::of(&mut mutual_tls(&sandbox, &stranger));
    let failure = outcome.failed_with("connection_failure");
    assert_eq!(failure["code"], Value::Null, "a CONNACK answered a stranger: {outcome}");
}

#[test]
fn a_client_id_outside_the_policy_is_refused_by_connack() {
    let sandbox = Sandbox::start().unwrap();
    for mut peer in [mutual_tls(&sandbox, sandbox.device()), sigv4(&sandbox)] {
        let outcome = PeerOutcome::of(peer.args(["--client-id", "not-allowed"]));
        let failure = outcome.failed_with("connection_failure");
        assert_eq!(failure["code"], NOT_AUTHORIZED, "{outcome}");
    }
}

#[test]
fn a_topic_outside_the_policy_is_refused_by_suback() {
    let sandbox = Sandbox::start().unwrap();
    for mut peer in [mutual_tls(&sandbox, sandbox.device()), sigv4(&sandbox)] {
        let outcome = PeerOutcome::of(peer.args(["--topic", "not/allowed"]));
        let refusal = outcome.failed_with("refused");
        assert_eq!(refusal["step"], "subscribe", "{outcome}");
        assert_eq!(refusal["code"], NOT_AUTHORIZED, "{outcome}");
    }
}

fn mutual_tls(sandbox: &Sandbox, device: &Device) -> Command {
    let mut peer = peer::python(sandbox, "mtls", sandbox.mqtt_port());
    peer.arg("--cert").arg(&device.cert_file).arg("--key").arg(&device.key_file);
    peer
}

fn sigv4(sandbox: &Sandbox) -> Command {
    let credentials = sandbox.credentials();
    let mut peer = peer::python(sandbox, "sigv4", sandbox.https_port());
    peer.arg("--region").arg(sandbox.region());
    peer.env("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
    peer.env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
    peer.env("AWS_SESSION_TOKEN", &credentials.session_token);
    peer
}

/// Refused by HTTP: no CONNACK, hence no code.
fn assert_upgrade_refused(outcome: &PeerOutcome) {
    let failure = outcome.failed_with("connection_failure");
    assert_eq!(failure["error"], "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE", "{outcome}");
    assert_eq!(failure["code"], Value::Null, "{outcome}");
}
