//! The sample against a sandbox, and what the credentials provider refuses.

use std::path::Path;

use sandbox::{Principal, Sandbox};
use testkit::policy::{self, Holder};
use testkit::{ProtectedKey, Sample, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_x509_credentials_connect");

/// With all flags but the thing name.
fn x509_credentials_connect(sandbox: &Sandbox) -> Sample {
    let alias = &sandbox.credentials_provider().role_alias;
    with_alias(sandbox, alias)
}

fn with_alias(sandbox: &Sandbox, alias: &str) -> Sample {
    let device = sandbox.device();
    Sample::new(BINARY)
        .https(sandbox)
        .args(["--region", sandbox.region()])
        .args(["--x509-endpoint", &sandbox.credentials_provider().endpoint])
        .args(["--x509-role-alias", alias])
        .args(["--x509-cert".as_ref(), device.cert_file.as_os_str()])
        .args(["--x509-key".as_ref(), device.key_file.as_os_str()])
}

#[test]
fn connects_with_and_without_a_thing_name() {
    let sandbox = Sandbox::start().unwrap();
    let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.https_port());
    let thing_name = ["--x509-thing-name", &sandbox.device().thing_name];
    for sample in [
        x509_credentials_connect(&sandbox),
        x509_credentials_connect(&sandbox).args(thing_name),
        x509_credentials_connect(&sandbox).args(["--x509_ca_file".as_ref(), sandbox.ca_file().as_os_str()]),
    ] {
        let outcome = sample.args(["--client-id", "test-1"]).run().succeeded();
        assert_eq!(outcome.stdout, expected);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn takes_an_encrypted_key() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let sample = || {
        Sample::new(BINARY)
            .https(&sandbox)
            .args(["--region", sandbox.region()])
            .args(["--x509-endpoint", &sandbox.credentials_provider().endpoint])
            .args(["--x509-role-alias", &sandbox.credentials_provider().role_alias])
            .args(["--x509-cert".as_ref(), sandbox.device().cert_file.as_os_str()])
            .args(["--x509-key".as_ref(), protected.key_file().as_os_str()])
    };
    let file = protected.password_file();
    sample().args(["--x509-key-password-file".as_ref(), file.as_os_str()]).run().succeeded();
    sample().args(["--x509-key-password", ProtectedKey::PASSWORD]).run().succeeded();
    sample().env("AWS_IOT_KEY_PASSWORD", ProtectedKey::PASSWORD).run().succeeded();
    sample().run().failed(1, &["password of the private key", "hint:", "--x509-key-password-file"]);
    let wrong = sample().env("AWS_IOT_KEY_PASSWORD", "wrong-horse").run();
    assert!(!wrong.stderr.contains("wrong-horse"), "{wrong:#?}");
    wrong.failed(1, &["password"]);
}

#[test]
fn refusals_of_the_provider() {
    let sandbox = Sandbox::start().unwrap();
    let alias = &sandbox.credentials_provider().role_alias;
    let on_alias = format!("iot:AssumeRoleWithCertificate on rolealias/{alias}");

    let outcome = x509_credentials_connect(&sandbox).args(["--x509-thing-name", "another-thing"]).run();
    let words = ["HTTP 403 AccessDeniedException", "thing name", "hint:", on_alias.as_str(), "another-thing"];
    outcome.failed(1, &words);

    // AWS tells of an alias only to those who may use it.
    let outcome = with_alias(&sandbox, "no-alias").run();
    outcome.failed(1, &["HTTP 403", "hint:", "rolealias/no-alias", "credentials.iot.amazonaws.com"]);
    let any = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
    sandbox.set_policies(Principal::Device, &[any.to_owned()]).unwrap();
    let outcome = with_alias(&sandbox, "no-alias").run();
    outcome.failed(1, &["HTTP 404 ResourceNotFoundException", "hint:", "list-role-aliases"]);

    // The sandbox ends the TLS handshake with a certificate that is not registered; AWS may answer 403 instead, whose
    // hint says the same.
    let stranger = sandbox.issue_unregistered_device("test-unregistered").unwrap();
    let outcome = Sample::new(BINARY)
        .https(&sandbox)
        .args(["--region", sandbox.region()])
        .args(["--x509-endpoint", &sandbox.credentials_provider().endpoint, "--x509-role-alias", alias])
        .args(["--x509-cert".as_ref(), stranger.cert_file.as_os_str()])
        .args(["--x509-key".as_ref(), stranger.key_file.as_os_str()])
        .run();
    let words = ["no AWS credentials from the IoT credentials provider", "rejected the client certificate"];
    outcome.failed(1, &[&words[..], &["hint:", "be active"]].concat());
}

#[test]
fn an_endpoint_that_is_not_the_providers() {
    let sandbox = Sandbox::start().unwrap();
    let other = Sandbox::start().unwrap();
    let device = sandbox.device();
    let at = |endpoint: &str| {
        Sample::new(BINARY)
            .https(&sandbox)
            .args(["--region", sandbox.region(), "--x509-endpoint", endpoint, "--x509-role-alias", "a"])
            .args(["--x509-cert".as_ref(), device.cert_file.as_os_str()])
            .args(["--x509-key".as_ref(), device.key_file.as_os_str()])
            .run()
    };
    // Its certificate comes from another CA.
    at(&other.credentials_provider().endpoint)
        .failed(1, &["no AWS credentials", "TLS", "hint:", "not trusted"]);
    at("localhost:1").failed(1, &["no AWS credentials", "localhost:1", "hint:", "iot:CredentialProvider"]);
    at("localhost:0").failed(2, &["--x509-endpoint"]);
    at("https://localhost").failed(2, &["--x509-endpoint"]);
}

#[test]
fn wrong_usage() {
    let sandbox = Sandbox::start().unwrap();
    with_alias(&sandbox, "a/b").run().failed(2, &["--x509-role-alias", "characters"]);
    let sample = x509_credentials_connect(&sandbox).args(["--x509-thing-name", "a thing"]);
    sample.run().failed(2, &["--x509-thing-name", "characters"]);
    let nothing = Sample::new(BINARY).https(&sandbox).args(["--region", sandbox.region()]);
    nothing.run().failed(2, &["--x509-endpoint is needed"]);
}

#[test]
fn no_secret_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = x509_credentials_connect(&sandbox).env("RUST_LOG", "trace").run().succeeded();
    assert!(outcome.stderr.contains("TRACE") || outcome.stderr.contains("DEBUG"), "there are logs");
    for hidden in ["secretAccessKey", "sessionToken", "X-Amz-Signature", "PRIVATE KEY"] {
        assert!(!outcome.stderr.contains(hidden), "{hidden} in {}", outcome.stderr);
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    let holders = [
        Holder { principal: Principal::Device, actions: Some(&["iot:AssumeRoleWithCertificate"]) },
        Holder { principal: Principal::Role, actions: Some(&["iot:Connect"]) },
    ];
    policy::are_sufficient_and_minimal(&sandbox, &holders, "x509_credentials_connect", || {
        x509_credentials_connect(&sandbox).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    readme::commands_work(sample, "x509_credentials_connect", BINARY, &sandbox);
}
