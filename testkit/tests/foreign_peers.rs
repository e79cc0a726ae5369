//! The sandbox as other software sees it: the official Python client connects, is heard, and is refused where AWS
//! would refuse it. A sandbox that only our own client can talk to would prove nothing about that client.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt};

use sandbox::{Device, Sandbox};
use serde_json::Value;

/// What the policies of the samples allow.
const CLIENT_ID: &str = "test-foreign-peer";
const TOPIC: &str = "test/topic";
const MESSAGE: &str = "Grüße from the official client";

/// MQTT 5, section 2.4: "Not authorized".
const NOT_AUTHORIZED: i32 = 0x87;

#[test]
fn by_mutual_tls_the_official_client_hears_its_own_message() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = Outcome::of(&mut mutual_tls(&sandbox, sandbox.device()));
    assert_heard_itself(&outcome);
}

#[test]
fn by_sigv4_the_official_client_hears_its_own_message() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = Outcome::of(&mut sigv4(&sandbox));
    assert_heard_itself(&outcome);
}

#[test]
fn a_wrong_secret_key_is_refused_before_mqtt() {
    let sandbox = Sandbox::start().unwrap();
    let mut peer = sigv4(&sandbox);
    peer.env("AWS_SECRET_ACCESS_KEY", "fakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE");
    assert_upgrade_refused(&Outcome::of(&mut peer));
}

#[test]
fn a_missing_session_token_is_refused_before_mqtt() {
    let sandbox = Sandbox::start().unwrap();
    let mut peer = sigv4(&sandbox);
    peer.env_remove("AWS_SESSION_TOKEN");
    assert_upgrade_refused(&Outcome::of(&mut peer));
}

#[test]
fn an_unregistered_certificate_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    let outcome = Outcome::of(&mut mutual_tls(&sandbox, &stranger));
    let failure = outcome.the_last_event("connection_failure");
    assert_eq!(failure["code"], Value::Null, "a CONNACK answered a stranger: {outcome}");
}

#[test]
fn a_client_id_outside_the_policy_is_refused_by_connack() {
    let sandbox = Sandbox::start().unwrap();
    for mut peer in [mutual_tls(&sandbox, sandbox.device()), sigv4(&sandbox)] {
        let outcome = Outcome::of(peer.args(["--client-id", "not-allowed"]));
        let failure = outcome.the_last_event("connection_failure");
        assert_eq!(failure["code"], NOT_AUTHORIZED, "{outcome}");
    }
}

#[test]
fn a_topic_outside_the_policy_is_refused_by_suback() {
    let sandbox = Sandbox::start().unwrap();
    for mut peer in [mutual_tls(&sandbox, sandbox.device()), sigv4(&sandbox)] {
        let outcome = Outcome::of(peer.args(["--topic", "not/allowed"]));
        let refusal = outcome.the_last_event("refused");
        assert_eq!(refusal["step"], "subscribe", "{outcome}");
        assert_eq!(refusal["code"], NOT_AUTHORIZED, "{outcome}");
    }
}

fn mutual_tls(sandbox: &Sandbox, device: &Device) -> Command {
    let mut peer = peer(sandbox, "mtls", sandbox.mqtt_port());
    peer.arg("--cert").arg(&device.cert_file).arg("--key").arg(&device.key_file);
    peer
}

fn sigv4(sandbox: &Sandbox) -> Command {
    let credentials = sandbox.credentials();
    let mut peer = peer(sandbox, "sigv4", sandbox.https_port());
    peer.arg("--region").arg(sandbox.region());
    peer.env("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
    peer.env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
    peer.env("AWS_SESSION_TOKEN", &credentials.session_token);
    peer
}

/// The official client's script with what both transports need, in an environment of its own. A flag that is added
/// again counts instead.
fn peer(sandbox: &Sandbox, transport: &str, port: u16) -> Command {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = env::var_os("SANDBOX_PEER_PYTHON")
        .map_or_else(|| workspace.join("target/python/bin/python"), PathBuf::from);
    assert!(
        python.is_file(),
        "no Python with the official client at {}: run `cargo xtask setup --tests` first",
        python.display()
    );
    let mut command = Command::new(python);
    command.env_clear();
    // Isolated from the user's packages and settings.
    command.arg("-I").arg(workspace.join("testkit/python/peer.py"));
    command.args(["--transport", transport, "--endpoint", sandbox.endpoint(), "--port", &port.to_string()]);
    command.arg("--ca-file").arg(sandbox.ca_file());
    command.args(["--client-id", CLIENT_ID, "--topic", TOPIC, "--message", MESSAGE]);
    command
}

/// What the script printed and how it ended. Each of its waits is bounded, so it ends.
struct Outcome {
    code: Option<i32>,
    events: Vec<Value>,
    stderr: String,
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Self {
            code: output.status.code(),
            events: stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.events.iter().map(|event| event["event"].as_str().unwrap()).collect()
    }

    /// The event that a peer failed with.
    fn the_last_event(&self, name: &str) -> &Value {
        assert_eq!((self.code, self.names().last()), (Some(1), Some(&name)), "{self}");
        &self.events[self.events.len() - 1]
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}, events {:?}, stderr:\n{}", self.code, self.events, self.stderr)
    }
}

fn assert_heard_itself(outcome: &Outcome) {
    let steps = ["connected", "subscribed", "published", "received", "disconnected"];
    assert_eq!((outcome.code, outcome.names()), (Some(0), steps.to_vec()), "{outcome}");
    let received = &outcome.events[3];
    assert_eq!((&received["topic"], &received["payload"]), (&TOPIC.into(), &MESSAGE.into()), "{outcome}");
}

/// Refused by HTTP: no CONNACK, hence no code.
fn assert_upgrade_refused(outcome: &Outcome) {
    let failure = outcome.the_last_event("connection_failure");
    assert_eq!(failure["error"], "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE", "{outcome}");
    assert_eq!(failure["code"], Value::Null, "{outcome}");
}
