//! Servers that must not be trusted, do not answer, or are not there: each ends in one clear message, in time.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Sandbox, ServerCertificate};
use testkit::{Outcome, Sample, openssl};

const BINARY: &str = env!("CARGO_BIN_EXE_pubsub");

/// Runs the sample against `port` with a deadline of 2 s, and requires that it is kept.
fn against(sandbox: &Sandbox, endpoint: &str, port: u16) -> Outcome {
    let sample = Sample::new(BINARY)
        .args(["--endpoint", endpoint, "--port", &port.to_string(), "--connect-timeout", "2"])
        .args(["--ca-file", &sandbox.ca_file().display().to_string()])
        .device(sandbox.device());
    let began = Instant::now();
    let outcome = sample.run();
    assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
    outcome
}

#[test]
fn certificates_that_must_not_be_trusted() {
    for (certificate, words) in [
        (ServerCertificate::WrongHost, ["not valid for name", "another name"]),
        (ServerCertificate::Expired, ["expired", "clock"]),
        (ServerCertificate::NotYetValid, ["not valid yet", "clock"]),
        (ServerCertificate::UnknownIssuer, ["UnknownIssuer", "--ca-file"]),
        (ServerCertificate::SelfSigned, ["UnknownIssuer", "--ca-file"]),
    ] {
        let sandbox = Sandbox::builder().server_certificate(certificate).start().unwrap();
        let outcome = against(&sandbox, "localhost", sandbox.mqtt_port());
        outcome.failed(1, &["TLS handshake", "hint:"]).failed(1, &words);
    }
}

#[test]
fn a_closed_port() {
    let sandbox = Sandbox::start().unwrap();
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    against(&sandbox, "localhost", port).failed(1, &["TCP", &port.to_string(), "refused", "hint:"]);
}

#[test]
fn a_name_that_cannot_be_resolved() {
    let sandbox = Sandbox::start().unwrap();
    // RFC 2606 §2: never delegated.
    against(&sandbox, "endpoint.invalid", 8883).failed(1, &["endpoint.invalid", "hint:"]);
}

#[test]
fn a_server_that_does_not_speak_tls() {
    let sandbox = Sandbox::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    against(&sandbox, "localhost", port).failed(1, &["TLS handshake", "does not speak TLS"]);
    server.join().unwrap();
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let sandbox = Sandbox::start().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    against(&sandbox, "localhost", port).failed(1, &["within 2 s", "TLS handshake", "hint:"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_black_hole() {
    let sandbox = Sandbox::start().unwrap();
    let hole = testkit::BlackHole::open();
    against(&sandbox, "localhost", hole.port()).failed(1, &["within 2 s", "TCP", "hint:"]);
}

#[test]
fn a_server_of_tls_1_1() {
    let sandbox = Sandbox::start().unwrap();
    let server = OpenSsl::start(&sandbox, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    against(&sandbox, "localhost", server.port).failed(1, &["TLS handshake", "hint:"]);
}

/// The port of HTTPS, say, where the client certificate is not asked for and ALPN does not count.
#[test]
fn a_web_server_behind_tls_is_named_whether_it_closes_the_connection_or_not() {
    let sandbox = Sandbox::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE";
    let key = "-newkey rsa:2048 -nodes -days 90 -out cert.pem -keyout key.pem";
    openssl(folder.path(), &format!("req -x509 {key} {names}"));
    let [cert, key] = ["cert.pem", "key.pem"].map(|file| folder.path().join(file));
    for closes in [false, true] {
        let mut server = OpenSsl::with_certificate(&cert, &key, &[]);
        let mut answer = server.child.stdin.take().unwrap();
        answer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _open = (!closes).then_some(answer);
        let sample = Sample::new(BINARY)
            .args(["--endpoint", "localhost", "--port", &server.port.to_string()])
            .args(["--ca-file", &cert.display().to_string()])
            .device(sandbox.device());
        let words = ["a web server answers here (HTTP 400)", "hint: check the port, the endpoint and ALPN"];
        sample.run().failed(1, &words);
    }
}

/// `openssl s_server` on a free port; ended on drop.
struct OpenSsl {
    child: Child,
    port: u16,
}

impl OpenSsl {
    fn start(sandbox: &Sandbox, flags: &[&str]) -> Self {
        let device = sandbox.device();
        Self::with_certificate(&device.cert_file, &device.key_file, flags)
    }

    fn with_certificate(certificate: &Path, key: &Path, flags: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args([OsStr::new("-cert"), certificate.as_os_str(), OsStr::new("-key"), key.as_os_str()])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("openssl is installed: `cargo xtask setup --tests`");
        // It prints "ACCEPT 127.0.0.1:<port>" once it listens.
        let mut stdout = child.stdout.take().unwrap();
        let mut said = Vec::new();
        let port = loop {
            let mut byte = [0];
            assert_ne!(
                stdout.read(&mut byte).unwrap(),
                0,
                "openssl ended: {}",
                String::from_utf8_lossy(&said)
            );
            said.push(byte[0]);
            if byte == *b"\n" {
                let line = String::from_utf8_lossy(&said).trim().to_owned();
                if let Some(port) = line.strip_prefix("ACCEPT").and_then(|rest| rest.rsplit(':').next()) {
                    break port.parse().unwrap();
                }
                said.clear();
            }
        };
        Self { child, port }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
