//! The sample against a sandbox: MQTT 3.1.1, credentials from the environment or from files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sandbox::relay::{Options, Relay};
use sandbox::{Principal, Sandbox};
use testkit::{Mosquitto, Running, Sample, Signal, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_websocket_connect");

fn websocket_connect(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).https(sandbox).args(["--signing-region", sandbox.region()])
}

#[test]
fn ctrl_c_while_it_disconnects_is_success() {
    let sandbox = Sandbox::start().unwrap();
    // Its DISCONNECT is under way for 300 ms.
    let slow = Options { one_way_delay: Duration::from_millis(300) };
    let relay = Relay::start(sandbox.https_port(), slow).unwrap();
    let sample = Sample::new(BINARY).to_port(&sandbox, relay.port()).credentials(sandbox.credentials());
    let mut running = Running::new(sample.args(["--signing-region", sandbox.region()]).spawn());
    running.until("Connected to");
    running.signal(Signal::Interrupt);
    assert!(running.outcome().succeeded().stdout.ends_with("Disconnected\n"));
}

#[test]
fn a_standard_output_that_fails_is_named_after_a_disconnect() {
    let sandbox = Sandbox::start().unwrap();
    let full = Sample::on_full_disk(BINARY).https(&sandbox).credentials(sandbox.credentials());
    let outcome = full.args(["--signing-region", sandbox.region()]).run();
    outcome.failed(1, &["cannot write to the standard output: No space left on device"]);
    assert!(sandbox.connections()[0].clean_disconnect);
}

#[test]
fn connects_and_disconnects_with_mqtt_3_1_1() {
    let sandbox = Sandbox::start().unwrap();
    let sample =
        websocket_connect(&sandbox).credentials(sandbox.credentials()).args(["--client-id", "test-1"]);
    let outcome = sample.run().succeeded();
    let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.https_port());
    assert_eq!(outcome.stdout, expected);
    assert_eq!(outcome.stderr, "");
    let connection = &sandbox.connections()[0];
    assert_eq!(connection.protocol_level, Some(4), "3.1.1 is the default here");
    assert!(connection.clean_disconnect);
}

#[test]
fn credentials_come_from_local_files() {
    let sandbox = Sandbox::start().unwrap();
    let credentials = sandbox.credentials();
    let text = format!(
        "[device]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token
    );

    // Where the AWS tools keep them, chosen by AWS_PROFILE.
    let sample = websocket_connect(&sandbox);
    fs::create_dir(sample.home().join(".aws")).unwrap();
    fs::write(sample.home().join(".aws/credentials"), &text).unwrap();
    sample.env("AWS_PROFILE", "device").run().succeeded();

    // A file and a profile that flags name.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, &text).unwrap();
    let with = |profile: &str| {
        let flags = ["--profile", profile, "--credentials-file", file.to_str().unwrap()];
        websocket_connect(&sandbox).args(flags).run()
    };
    with("device").succeeded();
    with("absent").failed(1, &["absent", "hint:"]);

    let missing = ["--profile", "device", "--credentials-file", "missing-file"];
    websocket_connect(&sandbox).args(missing).run().failed(1, &["missing-file"]);
}

#[test]
fn missing_credentials_are_said_to_be_missing() {
    let sandbox = Sandbox::start().unwrap();
    websocket_connect(&sandbox).run().failed(1, &["credentials", "hint:", "AWS_ACCESS_KEY_ID"]);
    let half = websocket_connect(&sandbox).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    half.run().failed(1, &["AWS_SECRET_ACCESS_KEY"]);
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    policy::is_sufficient_and_minimal(&sandbox, Principal::Iam, "websocket_connect", || {
        websocket_connect(&sandbox).credentials(sandbox.credentials()).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "websocket_connect", BINARY, &sandbox);
}

#[test]
fn a_second_broker_takes_it_too() {
    let broker = Mosquitto::start();
    for version in ["5", "3.1.1"] {
        let sample = Sample::new(BINARY)
            .args(["--endpoint", "localhost", "--port", &broker.websocket_port().to_string()])
            .args(["--ca-file".into(), broker.file("ca.pem")])
            // mosquitto does not look at the signature.
            .args(["--signing-region", "us-east-1", "--mqtt-version", version])
            .args(["--access-key", "AKIDEXAMPLE", "--secret", "unchecked"]);
        sample.run().succeeded();
    }
}
