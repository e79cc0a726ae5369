//! The sample against a sandbox, with files that OpenSSL wrote.

use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox::{Principal, Sandbox};
use testkit::{ProtectedKey, Running, Sample, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_pkcs12_connect");

fn pkcs12_connect(sandbox: &Sandbox, file: &Path) -> Sample {
    Sample::new(BINARY).mqtt(sandbox).args(["--pkcs12-file".as_ref(), file])
}

/// With the password in the environment.
fn with_password(sandbox: &Sandbox, protected: &ProtectedKey) -> Sample {
    pkcs12_connect(sandbox, &protected.pkcs12_file()).env("AWS_IOT_PKCS12_PASSWORD", ProtectedKey::PASSWORD)
}

#[test]
fn connects_with_the_password_from_anywhere() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let password_file = protected.password_file().display().to_string();
    // Windows PowerShell writes UTF-16 with a byte order mark.
    let utf16 = protected.password_file().with_file_name("utf16");
    let text = format!("\u{feff}{}\r\n", ProtectedKey::PASSWORD);
    fs::write(&utf16, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let expected = format!("Connected to localhost:{} as test-1\nDisconnected\n", sandbox.mqtt_port());
    let sample = || pkcs12_connect(&sandbox, &protected.pkcs12_file()).args(["--client-id", "test-1"]);
    for outcome in [
        sample().args(["--pkcs12-password", ProtectedKey::PASSWORD]).run(),
        sample().args(["--pkcs12-password-file", &password_file]).run(),
        sample().args(["--pkcs12-password-file".as_ref(), utf16.as_os_str()]).run(),
        sample().env("AWS_IOT_PKCS12_PASSWORD", ProtectedKey::PASSWORD).run(),
        sample().answer("device.p12: ", ProtectedKey::PASSWORD),
        // Another implementation's file.
        pkcs12_connect(&sandbox, &sandbox.device().pkcs12_file)
            .args(["--client-id", "test-1"])
            .env("AWS_IOT_PKCS12_PASSWORD", &sandbox.device().pkcs12_password)
            .run(),
        // The names of the official samples.
        Sample::new(BINARY)
            .mqtt(&sandbox)
            .args(["--client_id", "test-1", "--pkcs12_file", &protected.pkcs12_file().display().to_string()])
            .args(["--pkcs12_password", ProtectedKey::PASSWORD])
            .run(),
    ] {
        let outcome = outcome.succeeded();
        assert_eq!((outcome.stdout, outcome.stderr.as_str()), (expected.clone(), ""));
    }
    assert!(sandbox.connections().iter().all(|connection| connection.clean_disconnect));
}

#[test]
fn passwords_that_are_wrong_or_missing() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let sample = || pkcs12_connect(&sandbox, &protected.pkcs12_file());
    let wrong = ["password of the PKCS#12 file", "device.p12 is wrong", "hint:", "openssl pkcs12 -in"];
    sample().args(["--pkcs12-password", "wrong"]).run().failed(1, &wrong);
    sample().args(["--pkcs12-password", ""]).run().failed(1, &["is wrong: it is empty"]);
    sample().answer("device.p12: ", "wrong").failed(1, &wrong);
    let missing = ["was not given", "hint:", "--pkcs12-password-file", "AWS_IOT_PKCS12_PASSWORD"];
    sample().run().failed(1, &missing);
    sample().args(["--pkcs12-password-file", "missing"]).run().failed(1, &["password", "missing", "hint:"]);
    let both = ["--pkcs12-password", "x", "--pkcs12-password-file", "y"];
    sample().args(both).run().failed(2, &["--pkcs12-password", "cannot be used with"]);
    Sample::new(BINARY).run().failed(2, &["--endpoint", "--pkcs12-file"]);
}

#[test]
fn other_files_are_named() {
    let sandbox = Sandbox::start().unwrap();
    let run = |file: &Path| {
        pkcs12_connect(&sandbox, file).env("AWS_IOT_PKCS12_PASSWORD", ProtectedKey::PASSWORD).run()
    };
    run(&sandbox.device().cert_file).failed(1, &["is PEM, not PKCS#12", "hint:", "openssl pkcs12 -export"]);
    run(Path::new("missing.p12")).failed(1, &["cannot read the PKCS#12 file missing.p12", "hint:"]);
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    run(&ProtectedKey::of(&stranger).pkcs12_file()).failed(1, &["rejected the client certificate", "hint:"]);
}

#[test]
fn a_trust_variable_that_names_no_file_is_warned_of() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let sample = || with_password(&sandbox, &protected).env("SSL_CERT_FILE", "/nowhere/ca.pem");
    assert_eq!(sample().run().succeeded().stderr, "", "--ca-file goes before it");
    let port = sandbox.mqtt_port().to_string();
    let by_system = Sample::new(BINARY)
        .args(["--endpoint", "localhost", "--port", &port])
        .args(["--pkcs12-file".as_ref(), protected.pkcs12_file().as_path()])
        .env("AWS_IOT_PKCS12_PASSWORD", ProtectedKey::PASSWORD);
    by_system.env("SSL_CERT_FILE", "/nowhere/ca.pem").run().failed(
        1,
        &[
            "WARN",
            "SSL_CERT_FILE: cannot read the CA file /nowhere/ca.pem",
            "Mozilla's bundle",
            "UnknownIssuer",
        ],
    );
}

#[test]
#[cfg(unix)]
fn a_named_pipe_without_a_writer_is_named_and_still_read() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let pipe = protected.pkcs12_file().with_file_name("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let sample = pkcs12_connect(&sandbox, &pipe).args(["--pkcs12-password", ProtectedKey::PASSWORD]);
    let mut running = Running::new(sample.spawn());
    running.hears(&format!("waiting for the PKCS#12 file: {} is a pipe or a device", pipe.display()));
    fs::write(&pipe, fs::read(protected.pkcs12_file()).unwrap()).unwrap();
    running.outcome().succeeded();
}

#[test]
fn no_secret_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let key = fs::read_to_string(&sandbox.device().key_file).unwrap();
    for (password, exit) in [(ProtectedKey::PASSWORD, 0), ("battery staple", 1)] {
        let sample = pkcs12_connect(&sandbox, &protected.pkcs12_file()).args(["--pkcs12-password", password]);
        let outcome = sample.args(["--verbose"]).env("RUST_LOG", "trace").run();
        assert_eq!(outcome.code, Some(exit), "{outcome:#?}");
        let output = outcome.stdout + &outcome.stderr;
        for hidden in key.lines().filter(|line| !line.starts_with("-----")).chain([password]) {
            assert!(!output.contains(hidden), "{hidden} in {output}");
        }
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    policy::is_sufficient_and_minimal(&sandbox, Principal::Device, "pkcs12_connect", || {
        with_password(&sandbox, &protected).run()
    });
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    readme::commands_work(Path::new(env!("CARGO_MANIFEST_DIR")), "pkcs12_connect", BINARY, &sandbox);
}
