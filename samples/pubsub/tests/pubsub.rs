//! The sample against a sandbox, and what it says when it is refused.

use std::path::Path;

use sandbox::{Principal, Sandbox};
use serde_json::Value;
use testkit::{Mosquitto, ProtectedKey, Running, Sample, Signal, policy, readme};

const BINARY: &str = env!("CARGO_BIN_EXE_pubsub");

fn pubsub(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).mqtt(sandbox).device(sandbox.device()).args(["--interval", "0"])
}

#[test]
fn publishes_and_receives_its_own_messages() {
    let sandbox = Sandbox::start().unwrap();
    for version in ["5", "3.1.1"] {
        let sample = pubsub(&sandbox).args(["--client-id", "test-1", "--mqtt-version", version]);
        let outcome = sample.args(["--count", "2", "--message", "hi"]).run().succeeded();
        let expected = format!(
            "Connected to localhost:{} as test-1\n\
             Subscribed to test/topic\n\
             Published to test/topic: hi [1]\nReceived on test/topic: hi [1]\n\
             Published to test/topic: hi [2]\nReceived on test/topic: hi [2]\n\
             Disconnected\n",
            sandbox.mqtt_port()
        );
        assert_eq!(outcome.stdout, expected);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn alpn_reaches_mqtt_on_the_https_port() {
    let sandbox = Sandbox::start().unwrap();
    let sample = Sample::new(BINARY).https(&sandbox).device(sandbox.device());
    sample.args(["--count", "1"]).run().succeeded();
    assert_eq!(sandbox.connections()[0].alpn.as_deref(), Some("x-amzn-mqtt-ca"));
}

#[test]
fn json_holds_the_same_events() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = pubsub(&sandbox).args(["--count", "1", "--json"]).run().succeeded();
    let events: Vec<String> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events, ["connected", "subscribed", "published", "received", "disconnected"]);
}

#[test]
fn the_official_flags_work() {
    let sandbox = Sandbox::start().unwrap();
    let port = sandbox.mqtt_port().to_string();
    let ca = sandbox.ca_file().display().to_string();
    let flags = ["--port_override", &port, "--ca_file", &ca, "--client_id", "test-x", "--verbosity", "Debug"];
    let sample = Sample::new(BINARY).args(["--endpoint", "localhost"]).args(flags).device(sandbox.device());
    let outcome = sample.args(["--topic", "test/topic", "--message", "m", "--count", "1"]).run().succeeded();
    assert!(outcome.stdout.contains("as test-x"));
    assert!(outcome.stderr.contains("TLS handshake"), "--verbosity is followed");
}

#[test]
fn ctrl_c_and_sigterm_end_it_with_a_clean_disconnect() {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let sandbox = Sandbox::start().unwrap();
        let mut running = Running::new(pubsub(&sandbox).args(["--count", "0"]).spawn());
        running.until("Received");
        running.signal(signal);
        let outcome = running.outcome().succeeded();
        assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
        assert!(sandbox.connections()[0].clean_disconnect, "a DISCONNECT packet was sent");
    }
}

#[test]
fn the_policy_is_sufficient_and_minimal() {
    let sandbox = Sandbox::start().unwrap();
    policy::is_sufficient_and_minimal(&sandbox, Principal::Device, "pubsub", || {
        pubsub(&sandbox).args(["--count", "1"]).run()
    });
}

#[test]
fn a_refused_operation_is_named_on_mqtt_3_1_1_too() {
    let sandbox = Sandbox::start().unwrap();
    let run = |topic: &str, id: &str| {
        pubsub(&sandbox).args(["--mqtt-version", "3.1.1", "--topic", topic, "--client-id", id]).run()
    };
    run("test/topic", "other-1").failed(1, &["other-1", "hint:", "iot:Connect", "client/other-1"]);
    run("secret/topic", "test-1").failed(1, &["secret/topic", "hint:", "iot:Subscribe"]);
}

#[test]
fn refused_topics_and_client_ids_are_named() {
    let sandbox = Sandbox::start().unwrap();
    let run = |flags: [&str; 2]| pubsub(&sandbox).args(flags).run();
    run(["--client-id", "other-1"]).failed(1, &["not authorized", "0x87", "iot:Connect", "client/other-1"]);
    run(["--topic", "secret/topic"])
        .failed(1, &["not authorized", "iot:Subscribe", "topicfilter/secret/topic"]);
}

#[test]
fn the_reason_string_of_a_refused_connack_is_shown() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.refuse_next_connect(0x97, "too many devices today");
    pubsub(&sandbox).run().failed(1, &["quota exceeded", "0x97", "too many devices today"]);
}

#[test]
fn certificates_and_keys_that_cannot_be_used() {
    let sandbox = Sandbox::start().unwrap();
    let device = sandbox.device();
    let other = sandbox.issue_device("other").unwrap();
    let run = |cert: &Path, key: &Path| {
        let files = [cert, key].map(|path| path.display().to_string());
        Sample::new(BINARY).mqtt(&sandbox).args(["--cert", &files[0], "--key", &files[1]]).run()
    };
    let missing = Path::new("missing.pem");
    run(&device.cert_file, missing).failed(1, &["missing.pem", "key", "hint:"]);
    run(missing, &device.key_file).failed(1, &["missing.pem", "certificate"]);
    run(&device.cert_file, &other.key_file).failed(1, &["does not belong to"]);
    run(&device.key_file, &device.cert_file).failed(1, &["hint:"]);
    run(Path::new("/dev/null"), &device.key_file).failed(1, &["/dev/null", "empty"]);
    let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
    run(&stranger.cert_file, &stranger.key_file).failed(1, &["rejected the client certificate", "hint:"]);
}

fn with_protected_key(sandbox: &Sandbox, protected: &ProtectedKey) -> Sample {
    let flags = ["--cert".into(), sandbox.device().cert_file.clone(), "--key".into(), protected.key_file()];
    Sample::new(BINARY).mqtt(sandbox).args(flags).args(["--count", "1", "--interval", "0"])
}

#[test]
fn an_encrypted_key_takes_its_password_from_anywhere() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let password_file = protected.password_file().display().to_string();
    let sample = || with_protected_key(&sandbox, &protected);
    for outcome in [
        sample().args(["--key-password", ProtectedKey::PASSWORD]).run(),
        sample().args(["--key_password", ProtectedKey::PASSWORD]).run(),
        sample().args(["--key-password-file", &password_file]).run(),
        sample().env("AWS_IOT_KEY_PASSWORD", ProtectedKey::PASSWORD).run(),
        // A flag wins over the environment.
        sample().args(["--key-password-file", &password_file]).env("AWS_IOT_KEY_PASSWORD", "wrong").run(),
        sample().answer("device.key: ", ProtectedKey::PASSWORD),
    ] {
        let outcome = outcome.succeeded();
        assert!(outcome.stdout.ends_with("Disconnected\n"), "{outcome:#?}");
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn passwords_of_the_key_that_are_wrong_missing_or_not_needed() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    let sample = || with_protected_key(&sandbox, &protected);
    let wrong = ["password of the private key", "device.key is wrong", "hint:", "openssl pkey -in"];
    sample().args(["--key-password", "wrong"]).run().failed(1, &wrong);
    sample().args(["--key-password", ""]).run().failed(1, &["is wrong: it is empty"]);
    sample().answer("device.key: ", "wrong").failed(1, &wrong);
    sample().answer("device.key: ", "").failed(1, &["is wrong: it is empty"]);
    // Ctrl-C, and the end of the input.
    sample().answer("device.key: ", "\u{3}").failed(1, &["Error: interrupted\n"]);
    sample().answer("device.key: ", "\u{4}").failed(1, &["was not given"]);
    let missing = ["was not given", "hint:", "--key-password-file", "AWS_IOT_KEY_PASSWORD"];
    sample().run().failed(1, &missing);
    // An empty variable is one that is not set.
    sample().env("AWS_IOT_KEY_PASSWORD", "").run().failed(1, &missing);
    let both = ["--key-password", "x", "--key-password-file", "y"];
    sample().args(both).run().failed(2, &["--key-password", "cannot be used with"]);

    let plain = || pubsub(&sandbox).args(["--count", "1"]);
    for outcome in [
        plain().args(["--key-password", "x"]).run(),
        plain().args(["--key-password-file", "missing"]).run(),
        plain().env("AWS_IOT_KEY_PASSWORD", "x").run(),
    ] {
        assert!(outcome.succeeded().stderr.contains("is not encrypted: its password was not used"));
    }
}

#[test]
fn no_password_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let protected = ProtectedKey::of(sandbox.device());
    for (password, exit) in [(ProtectedKey::PASSWORD, 0), ("battery staple", 1)] {
        let sample = with_protected_key(&sandbox, &protected).args(["--key-password", password]);
        let outcome = sample.env("RUST_LOG", "trace").run();
        assert_eq!(outcome.code, Some(exit), "{outcome:#?}");
        assert!(!(outcome.stdout + &outcome.stderr).contains(password));
    }
}

#[test]
fn usage_errors_name_the_flag_and_exit_with_2() {
    let sandbox = Sandbox::start().unwrap();
    for (flags, words) in [
        (["--keep-alive", "5"], ["--keep-alive", "30"]),
        (["--client-id", "$aws"], ["--client-id", "reserve"]),
        (["--mqtt-version", "4.2"], ["--mqtt-version", "3.1.1"]),
        (["--connect-timeout", "0"], ["--connect-timeout", "seconds"]),
        (["--region", "us-east-1"], ["--region", "unexpected"]),
    ] {
        pubsub(&sandbox).args(flags).run().failed(2, &words);
    }
    let url = Sample::new(BINARY).args(["--endpoint", "https://example.com/"]).device(sandbox.device());
    url.run().failed(2, &["--endpoint"]);
    Sample::new(BINARY).run().failed(2, &["--endpoint", "--cert", "--key"]);
}

#[test]
fn the_readme_works() {
    let sandbox = Sandbox::start().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    readme::commands_work(sample, "pubsub", BINARY, &sandbox);
}

#[test]
fn no_part_of_the_key_reaches_a_log() {
    let sandbox = Sandbox::start().unwrap();
    let key = std::fs::read_to_string(&sandbox.device().key_file).unwrap();
    let outcome = pubsub(&sandbox).args(["--count", "1"]).env("RUST_LOG", "trace").run().succeeded();
    assert!(outcome.stderr.contains("TRACE"), "there are logs");
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!outcome.stderr.contains(line));
    }
}

#[test]
fn a_second_broker_takes_it_too() {
    let broker = Mosquitto::start();
    for version in ["5", "3.1.1"] {
        let sample = Sample::new(BINARY)
            .args(["--endpoint", "localhost", "--port", &broker.mqtt_port().to_string()])
            .args(["--ca-file".into(), broker.file("ca.pem"), "--cert".into(), broker.file("client.pem")])
            .args(["--key".into(), broker.file("client.key")])
            .args(["--count", "2", "--interval", "0", "--mqtt-version", version]);
        let outcome = sample.run().succeeded();
        assert_eq!(outcome.stdout.matches("Received on test/topic").count(), 2);
    }
}
