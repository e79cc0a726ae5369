//! The official clients as peers of the sandbox: scripts under `python/` and `node/`, each of which connects, hears its
//! own message and disconnects, with a line of JSON for each step.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt};

use sandbox::Sandbox;
use serde_json::Value;

use crate::workspace;

/// What the policies of the samples allow.
const CLIENT_ID: &str = "test-foreign-peer";
const TOPIC: &str = "test/topic";
const MESSAGE: &str = "Grüße from the official client";

/// The Python that has the official client.
///
/// # Panics
///
/// When it is not installed.
#[must_use]
pub fn python_interpreter() -> PathBuf {
    let python = env::var_os("SANDBOX_PEER_PYTHON")
        .map_or_else(|| workspace().join("target/python/bin/python"), PathBuf::from);
    assert!(
        python.is_file(),
        "no Python with the official client at {}: run `cargo xtask setup --tests` first",
        python.display()
    );
    python
}

/// The official Python client in an environment of its own, with what all of its transports need. A flag that is added
/// later outdoes the one here.
///
/// # Panics
///
/// When it is not installed.
#[must_use]
pub fn python(sandbox: &Sandbox, transport: &str, port: u16) -> Command {
    let mut command = Command::new(python_interpreter());
    command.env_clear();
    // Isolated from the user's packages and settings.
    command.arg("-I").arg(workspace().join("crates/testkit/python/peer.py"));
    command.args(["--transport", transport]);
    with_connection(command, sandbox, port)
}

/// botocore in an environment of its own, which asks the sandbox's STS whose credentials it has.
///
/// # Panics
///
/// When it is not installed.
#[must_use]
pub fn caller(sandbox: &Sandbox, home: &Path) -> Command {
    let mut command = Command::new(python_interpreter());
    command.env_clear();
    command.arg("-I").arg(workspace().join("crates/testkit/python/caller.py"));
    command
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_DEFAULT_REGION", sandbox.region());
    command.env("AWS_CA_BUNDLE", sandbox.ca_file()).env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint);
    command
}

/// The folder whose `node_modules` has the official client.
///
/// # Panics
///
/// When it is not installed.
#[must_use]
pub fn node_folder() -> PathBuf {
    let modules =
        env::var_os("SANDBOX_PEER_NODE").map_or_else(|| workspace().join("target/node"), PathBuf::from);
    assert!(
        modules.join("node_modules/aws-iot-device-sdk-v2").is_dir(),
        "no official Node client in {}: run `cargo xtask setup --tests` first",
        modules.display()
    );
    modules
}

/// The official Node client over WebSocket, likewise.
///
/// # Panics
///
/// When it is not installed.
#[must_use]
pub fn node(sandbox: &Sandbox) -> Command {
    let mut command = Command::new("node");
    command.env_clear();
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.arg(workspace().join("crates/testkit/node/peer.mjs")).arg("--modules").arg(node_folder());
    with_connection(command, sandbox, sandbox.https_port())
}

fn with_connection(mut command: Command, sandbox: &Sandbox, port: u16) -> Command {
    command.args(["--endpoint", sandbox.endpoint(), "--port", &port.to_string()]);
    command.arg("--ca-file").arg(sandbox.ca_file());
    command.args(["--client-id", CLIENT_ID, "--topic", TOPIC, "--message", MESSAGE]);
    command
}

/// What a peer printed and how it ended. Each of its waits is bounded, so it ends.
#[derive(Debug)]
pub struct PeerOutcome {
    code: Option<i32>,
    events: Vec<Value>,
    stderr: String,
}

impl PeerOutcome {
    /// Runs a peer to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or prints what is not a line of JSON for each step.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the peer can be started");
        let stdout = String::from_utf8(output.stdout).expect("a peer prints UTF-8");
        let json = |line| serde_json::from_str(line).expect("a peer prints lines of JSON");
        Self {
            code: output.status.code(),
            events: stdout.lines().map(json).collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Requires that the peer connected, heard its own message and disconnected.
    ///
    /// # Panics
    ///
    /// When any of this is not so.
    #[track_caller]
    pub fn heard_itself(&self) {
        let steps = ["connected", "subscribed", "published", "received", "disconnected"];
        assert_eq!((self.code, self.names()), (Some(0), steps.to_vec()), "{self}");
        let received = &self.events[3];
        assert_eq!((&received["topic"], &received["payload"]), (&TOPIC.into(), &MESSAGE.into()), "{self}");
    }

    /// The event that the peer succeeded with.
    ///
    /// # Panics
    ///
    /// When it failed, or succeeded with another.
    #[track_caller]
    pub fn succeeded_with(&self, name: &str) -> &Value {
        assert_eq!((self.code, self.names().last()), (Some(0), Some(&name)), "{self}");
        &self.events[self.events.len() - 1]
    }

    /// The event that the peer failed with.
    ///
    /// # Panics
    ///
    /// When it did not fail, or failed with another.
    #[track_caller]
    pub fn failed_with(&self, name: &str) -> &Value {
        assert_eq!((self.code, self.names().last()), (Some(1), Some(&name)), "{self}");
        &self.events[self.events.len() - 1]
    }

    fn names(&self) -> Vec<&str> {
        self.events.iter().filter_map(|event| event["event"].as_str()).collect()
    }
}

impl fmt::Display for PeerOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}, events {:?}, stderr:\n{}", self.code, self.events, self.stderr)
    }
}
