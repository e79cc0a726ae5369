//! The official Python client with the key on a token of SoftHSM2, and our sample with the same values.

use std::fs;
use std::path::Path;

use sandbox::{Connection, Sandbox};
use testkit::peer::{self, PeerOutcome};
use testkit::{KeyKind, Outcome, SoftHsm, readme};

/// What the policies of the samples allow.
const CLIENT_ID: &str = "test-pkcs11-peer";

#[test]
fn the_official_client_and_our_sample_use_the_same_token() {
    for kind in [KeyKind::Rsa2048, KeyKind::P256, KeyKind::P384] {
        let sandbox = Sandbox::start().unwrap();
        let hsm = SoftHsm::with_device(&sandbox, kind);
        let certificate = hsm.file("device.pem", &certificate(&sandbox));

        peer(&sandbox, &hsm, &certificate, SoftHsm::PIN).heard_itself();
        let outcome = sample(&sandbox, &hsm, &certificate, SoftHsm::PIN).succeeded();
        assert!(outcome.stdout.contains("Disconnected"), "{outcome:#?}");

        let connections = sandbox.connections();
        let [theirs, ours] = connections.as_slice() else { panic!("two connections: {connections:#?}") };
        let facts = |connection: &Connection| {
            (connection.client_id.clone(), connection.principal, connection.clean_disconnect)
        };
        assert_eq!(facts(theirs), facts(ours), "{kind:?}");
    }
}

#[test]
fn both_refuse_a_wrong_pin_before_they_connect() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::Rsa2048);
    let certificate = hsm.file("device.pem", &certificate(&sandbox));
    let outcome = peer(&sandbox, &hsm, &certificate, "8642");
    let message = outcome.failed_with("error")["message"].as_str().unwrap();
    assert!(message.contains("CKR_PIN_INCORRECT"), "{outcome}");
    sample(&sandbox, &hsm, &certificate, "8642").failed(1, &["CKR_PIN_INCORRECT"]);
    assert!(sandbox.connections().is_empty());
}

/// Of the device that [`SoftHsm::with_device`] makes.
fn certificate(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.state_dir().join("device.cert.pem")).unwrap()
}

fn peer(sandbox: &Sandbox, hsm: &SoftHsm, certificate: &Path, pin: &str) -> PeerOutcome {
    let mut command = peer::python(sandbox, "pkcs11", sandbox.mqtt_port());
    command.args(["--client-id", CLIENT_ID]).arg("--cert").arg(certificate);
    command.args(["--pkcs11-lib", SoftHsm::library(), "--token-label", "device", "--key-label", "device"]);
    command.env("SOFTHSM2_CONF", hsm.config()).env("AWS_IOT_PIN", pin);
    PeerOutcome::of(&mut command)
}

/// By `cargo run`: the sample's binary is known to its own tests only.
fn sample(sandbox: &Sandbox, hsm: &SoftHsm, certificate: &Path, pin: &str) -> Outcome {
    let mut command = readme::cargo();
    command.args(["run", "--quiet", "-p", "pkcs11_connect", "--", "--client-id", CLIENT_ID]);
    command.args(["--endpoint", sandbox.endpoint(), "--port", &sandbox.mqtt_port().to_string()]);
    command.arg("--ca-file").arg(sandbox.ca_file()).arg("--cert").arg(certificate);
    command.args(["--pkcs11-lib", SoftHsm::library(), "--token-label", "device", "--key-label", "device"]);
    command.env("SOFTHSM2_CONF", hsm.config()).env("AWS_IOT_PIN", pin);
    Outcome::of_within(&mut command, Outcome::BUILD_LIMIT)
}
