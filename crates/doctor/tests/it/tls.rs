//! What is wrong with TLS, on either side, and with what is behind it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;

use sandbox::{Sandbox, ServerCertificate, TlsVersions};
use tempfile::TempDir;
use testkit::openssl;

use crate::report::{Report, device, doctor, with_clock};

#[test]
fn server_certificates_that_must_not_be_trusted() {
    for (certificate, words) in [
        (ServerCertificate::Expired, ["expired", "this machine's clock says"]),
        (ServerCertificate::NotYetValid, ["not valid yet", "this machine's clock says"]),
        (ServerCertificate::WrongHost, ["not valid for name", "wrong-host.example.com"]),
        (ServerCertificate::UnknownIssuer, ["UnknownIssuer", "Unknown CA"]),
    ] {
        let sandbox = Sandbox::builder().server_certificate(certificate).start().unwrap();
        let report = Report::of(device(&sandbox), &sandbox);
        report
            .has_failed(&["server certificate"])
            .says("server certificate", &["hint:", "the server showed", "O=AWS IoT sandbox"])
            .says("server certificate", &words)
            .says("TLS", &["not reached: server certificate failed"])
            .says("credentials", &["the private key belongs to it"])
            .stopped("WebSocket", "server certificate");
    }
}

#[test]
fn a_server_certificate_behind_a_proxy() {
    let sandbox = Sandbox::builder().server_certificate(ServerCertificate::UnknownIssuer).start().unwrap();
    Report::of(device(&sandbox).args(["--proxy", &sandbox.proxies().http]), &sandbox)
        .has_failed(&["server certificate"])
        .says("server certificate", &["through the proxy", "UnknownIssuer", "hint:", "Unknown CA"])
        .stopped("WebSocket", "server certificate");
}

#[test]
fn a_wrong_ca_file_and_none() {
    let sandbox = Sandbox::start().unwrap();
    let port = sandbox.mqtt_port().to_string();
    let other = Sandbox::start().unwrap();
    let with_ca = |file: &str| {
        let sample = doctor().args(["--endpoint", "localhost", "--port", &port, "--ca-file", file]);
        Report::of(with_clock(sample.device(sandbox.device()), &sandbox), &sandbox)
    };
    with_ca(&other.ca_file().display().to_string())
        .has_failed(&["server certificate"])
        .says("server certificate", &["UnknownIssuer", "hint:", "--ca-file", "CN=localhost"])
        .stopped("WebSocket", "server certificate");
    with_ca("/nowhere/ca.pem")
        .has_failed(&["trust"])
        .says("trust", &["/nowhere/ca.pem", "hint:"])
        .says("TLS", &["not reached: trust failed"])
        .says("clock", &["not reached: trust failed"])
        .stopped("WebSocket", "trust");
}

#[test]
fn a_trust_variable_that_names_nothing_is_warned_of() {
    let sandbox = Sandbox::start().unwrap();
    let port = sandbox.mqtt_port().to_string();
    let by_system = || {
        let sample = doctor().args(["--endpoint", "localhost", "--port", &port]);
        with_clock(sample.device(sandbox.device()), &sandbox)
    };
    let named = by_system().env("SSL_CERT_FILE", sandbox.ca_file()).env("SSL_CERT_DIR", "/nowhere/certs");
    Report::of(named, &sandbox).works_with_warnings_of(&["trust"]).says(
        "trust",
        &["1 root of SSL_CERT_FILE", "SSL_CERT_DIR: cannot read the directory /nowhere/certs", "change:"],
    );
    let report = Report::of(by_system().env("SSL_CERT_FILE", "/nowhere/ca.pem"), &sandbox)
        .has_failed(&["server certificate"])
        .says("trust", &["of Mozilla's bundle", "SSL_CERT_FILE: cannot read the CA file /nowhere/ca.pem"]);
    assert_eq!(report.sign("trust"), "warn");
    Report::of(device(&sandbox).env("SSL_CERT_FILE", "/nowhere/ca.pem"), &sandbox)
        .works_with_warnings_of(&[]);
}

#[test]
fn a_server_that_does_not_speak_tls() {
    let sandbox = Sandbox::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let sample = doctor().to_port(&sandbox, port).device(sandbox.device());
    Report::of(with_clock(sample, &sandbox), &sandbox)
        .has_failed(&["TLS"])
        .says("TLS", &["handshake", "hint:", "does not speak TLS"])
        .says("server certificate", &["not reached: TLS failed"])
        .stopped("WebSocket", "TLS");
}

#[test]
fn a_server_of_another_protocol() {
    let sandbox = Sandbox::start().unwrap();
    // An https:// proxy has the sandbox's certificate, and speaks HTTP.
    let port = sandbox.proxies().https.rsplit(':').next().unwrap().parse().unwrap();
    let sample = doctor().to_port(&sandbox, port).device(sandbox.device());
    Report::of(with_clock(sample, &sandbox), &sandbox)
        .has_failed(&["ALPN"])
        .says("ALPN", &["NoApplicationProtocol", "hint:", "offered by ALPN: x-amzn-mqtt-ca"])
        .stopped("WebSocket", "ALPN");
}

#[test]
fn a_server_that_does_not_speak_mqtt() {
    let sandbox = Sandbox::start().unwrap();
    let server = TlsServer::start();
    let port = server.port.to_string();
    let ca_file = server.folder.path().join("cert.pem").display().to_string();
    let sample = doctor().args(["--endpoint", "localhost", "--port", &port, "--ca-file", &ca_file]);
    let sample = sample.device(sandbox.device()).args(["--connect-timeout", "2"]);
    // The sandbox's CA is not the one that is trusted here, so its HTTPS port does not tell the time.
    Report::of(with_clock(sample, &sandbox), &sandbox)
        .has_failed(&["CONNACK"])
        .says("CONNACK", &["within 2 s: waiting for MQTT CONNACK", "hint:", "speaks MQTT"])
        .says("TLS", &["TLSv1.3"])
        .says("clock", &["no HTTPS answer", "UnknownIssuer"])
        .stopped("subscribe", "CONNACK");
}

/// `openssl s_server` on a free port, with a certificate of its own: it takes whatever it is sent, and says nothing.
struct TlsServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl TlsServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names =
            "-subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE";
        let key = "-newkey rsa:2048 -nodes -days 90 -out cert.pem -keyout key.pem";
        openssl(folder.path(), &format!("req -x509 {key} {names}"));
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed: `cargo xtask setup --tests`");
        // It prints "ACCEPT 127.0.0.1:<port>" once it listens.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("openssl has ended").unwrap();
            if let Some(port) = line.strip_prefix("ACCEPT").and_then(|rest| rest.rsplit(':').next()) {
                break port.trim().parse().unwrap();
            }
        };
        thread::spawn(move || lines.for_each(drop));
        Self { child, port, folder }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_client_certificate_that_nobody_knows() {
    for (versions, failed) in [(TlsVersions::Only13, "CONNACK"), (TlsVersions::Only12, "TLS")] {
        let sandbox = Sandbox::builder().tls_versions(versions).start().unwrap();
        let stranger = sandbox.issue_unregistered_device("stranger").unwrap();
        let sample = doctor().mqtt(&sandbox).device(&stranger);
        let report = Report::of(with_clock(sample, &sandbox), &sandbox).has_failed(&[failed]);
        report
            .says(
                failed,
                &["rejected the client certificate", "hint:", "describe-certificate --certificate-id"],
            )
            .says("server certificate", &["CN=localhost"])
            .says("credentials", &["CN=stranger"])
            .stopped("subscribe", failed);
    }
}
