//! Every way to authenticate, with nothing wrong.

use std::path::Path;

use sandbox::Sandbox;
use serde_json::Value;
use testkit::{KeyKind, SoftHsm, readme};

use crate::report::{CHECKS, Report, by_signature, device, doctor, no_secrets, signed, with_clock};

#[test]
fn mutual_tls() {
    let sandbox = Sandbox::start().unwrap();
    Report::of(device(&sandbox).args(["--client-id", "test-1"]), &sandbox)
        .works_with_warnings_of(&[])
        .says("name", &["127.0.0.1 (IPv4)"])
        .says("TCP", &[&format!("127.0.0.1:{}", sandbox.mqtt_port())])
        .says("trust", &["1 root of the CA file"])
        .says(
            "server certificate",
            &["CN=localhost", "for localhost, 127.0.0.1", "the root is", "CN=Sandbox CA"],
        )
        .says("TLS", &["TLSv1.3"])
        .says("clock", &["as the server's"])
        .says("credentials", &["CN=sandbox-thing", "EC 256", "the private key belongs to it"])
        .says("WebSocket", &["not used"])
        .says(
            "CONNACK",
            &[
                "as client ID test-1",
                "MQTT 5",
                "session present: false",
                "receive maximum 100",
                "maximum QoS 1",
            ],
        )
        .says("receive", &["test/topic"]);
    let connections = sandbox.connections();
    let mut mqtt = connections.iter().filter(|connection| connection.client_id.as_deref() == Some("test-1"));
    assert!(mqtt.next_back().is_some_and(|connection| connection.clean_disconnect), "{connections:#?}");
}

#[test]
fn mutual_tls_of_mqtt_3_1_1_on_the_https_port() {
    let sandbox = Sandbox::start().unwrap();
    let sample = doctor().https(&sandbox).device(sandbox.device()).args(["--mqtt-version", "3.1.1"]);
    Report::of(with_clock(sample, &sandbox), &sandbox)
        .works_with_warnings_of(&[])
        .says("ALPN", &["x-amzn-mqtt-ca, as offered"])
        .says("CONNACK", &["MQTT 3.1.1"]);
}

#[test]
fn pkcs12() {
    let sandbox = Sandbox::start().unwrap();
    let device = sandbox.device();
    let file = device.pkcs12_file.display().to_string();
    let sample = doctor().mqtt(&sandbox).args(["--pkcs12-file", &file]);
    let sample = sample.env("AWS_IOT_PKCS12_PASSWORD", &device.pkcs12_password);
    Report::of(with_clock(sample, &sandbox), &sandbox)
        .works_with_warnings_of(&[])
        .says("credentials", &["CN=sandbox-thing"]);
}

#[test]
fn pkcs11() {
    let sandbox = Sandbox::start().unwrap();
    let hsm = SoftHsm::with_device(&sandbox, KeyKind::P256);
    let sample = doctor().mqtt(&sandbox).softhsm(&hsm).args(["--token-label", "device"]);
    Report::of(with_clock(sample, &sandbox).env("AWS_IOT_PIN", SoftHsm::PIN), &sandbox)
        .works_with_warnings_of(&[]);
}

#[test]
fn sigv4_with_credentials_of_the_environment_and_of_cognito() {
    let sandbox = Sandbox::start().unwrap();
    let credentials = sandbox.credentials();
    Report::of(signed(&sandbox), &sandbox)
        .works_with_warnings_of(&[])
        .says("credentials", &[&credentials.access_key_id, "environment", "temporary", "expiry not stated"])
        .says("WebSocket", &["101"]);

    let cognito = sandbox.cognito();
    let sample = by_signature(&sandbox);
    let sample = sample.args(["--cognito-identity", &cognito.identity_id]);
    Report::of(sample.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint), &sandbox)
        .works_with_warnings_of(&[])
        .says("credentials", &[&cognito.identity_id, "expire 20"]);
}

#[test]
fn sigv4_with_credentials_of_the_credentials_provider() {
    let sandbox = Sandbox::start().unwrap();
    let (provider, device) = (sandbox.credentials_provider(), sandbox.device());
    let [cert, key] = [&device.cert_file, &device.key_file].map(|file| file.display().to_string());
    let sample = by_signature(&sandbox).args(["--x509-endpoint", &provider.endpoint]);
    let sample =
        sample.args(["--x509-role-alias", &provider.role_alias, "--x509-cert", &cert, "--x509-key", &key]);
    Report::of(sample, &sandbox)
        .works_with_warnings_of(&[])
        .says("credentials", &["the IoT credentials provider", &provider.role_alias, "expire 20"]);
}

#[test]
fn custom_authorizers() {
    let sandbox = Sandbox::start().unwrap();
    let (signed, unsigned) = (&sandbox.authorizers().signed, &sandbox.authorizers().unsigned);
    let sample = doctor().https(&sandbox).args(["--authorizer-name", &unsigned.name]);
    let sample = sample.args(["--auth-username", &unsigned.username]);
    Report::of(sample.env("AWS_IOT_AUTH_PASSWORD", &unsigned.password), &sandbox)
        .works_with_warnings_of(&[])
        .says("credentials", &[&unsigned.name, "password set"])
        .says("ALPN", &["mqtt, as offered"]);

    let sample = doctor().https(&sandbox).args(["--authorizer-name", &signed.name, "--websocket"]);
    let sample = sample.args(["--auth-token-key-name", &signed.token_key_name]);
    let sample =
        sample.args(["--auth-username", &signed.username]).env("AWS_IOT_AUTH_PASSWORD", &signed.password);
    let sample = sample.env("AWS_IOT_AUTH_TOKEN_VALUE", &signed.token_value);
    Report::of(sample.env("AWS_IOT_AUTH_SIGNATURE", &signed.token_signature), &sandbox)
        .works_with_warnings_of(&[])
        .says("credentials", &[&format!("{}=…", signed.token_key_name)])
        .says("WebSocket", &["101"]);
}

#[test]
fn without_credentials_the_layers_below_mqtt() {
    let sandbox = Sandbox::start().unwrap();
    let report = Report::of(doctor().https(&sandbox), &sandbox).works_with_warnings_of(&[]);
    assert_eq!((report.sign("TLS"), report.sign("clock"), report.sign("CONNACK")), ("ok", "ok", "-"));
    report.says("CONNACK", &["there are no credentials"]);
}

#[test]
fn through_proxies() {
    let sandbox = Sandbox::start().unwrap();
    for proxy in [&sandbox.proxies().http, &sandbox.proxies().socks5] {
        Report::of(device(&sandbox).args(["--proxy", proxy]), &sandbox)
            .works_with_warnings_of(&[])
            .says("proxy", &["--proxy"])
            .says("name", &["the proxy does that"])
            .says("TCP", &["TCP to proxy: connected to 127.0.0.1", "open to localhost"]);
    }
    Report::of(device(&sandbox).env("HTTPS_PROXY", &sandbox.proxies().http), &sandbox)
        .works_with_warnings_of(&["proxy"])
        .says("proxy", &["HTTPS_PROXY", "means:", "--no-proxy"]);
}

#[test]
fn json_has_an_object_a_line() {
    let sandbox = Sandbox::start().unwrap();
    let outcome = device(&sandbox).args(["--json", "--keep-alive", "1200"]).run().succeeded();
    no_secrets(&outcome, &sandbox);
    let lines: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = lines.iter().map(|line| line["check"].as_str().unwrap()).collect();
    assert_eq!(names, CHECKS);
    let outcomes = |wanted: &str| lines.iter().filter(|line| line["outcome"] == wanted).count();
    assert_eq!((outcomes("ok"), outcomes("warning"), outcomes("not used")), (15, 1, 2), "{lines:#?}");
    let connack = &lines[12];
    assert!(connack["finding"].as_str().unwrap().contains("keep-alive 1200 s"), "{connack}");
    assert!(connack["advice"][0]["change"].as_str().unwrap().contains("--keep-alive"), "{connack}");
}

#[test]
fn no_log_shows_a_secret() {
    let sandbox = Sandbox::start().unwrap();
    for sample in [device(&sandbox), signed(&sandbox)] {
        let outcome = sample.env("RUST_LOG", "trace").args(["--timeline"]).run().succeeded();
        assert!(outcome.stdout.contains("Attempt 1 to localhost"), "{}", outcome.stdout);
        no_secrets(&outcome, &sandbox);
    }
}

#[test]
fn the_documented_commands_work() {
    let sandbox = Sandbox::start().unwrap();
    let document = testkit::workspace().join("docs/troubleshooting.md");
    readme::doctor_works(&document, Path::new(env!("CARGO_BIN_EXE_doctor")), &sandbox);
}
