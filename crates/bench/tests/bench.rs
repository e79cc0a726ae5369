//! The whole comparison with tiny counts, so that none of its programs rots: real peers, a real broker.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Mosquitto, peer, workspace};

#[test]
fn every_peer_is_measured() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.arg("--python").arg(peer::python_interpreter()).arg("--node-modules").arg(peer::node_folder());
    for (flag, count) in [
        ("--rounds", "1"),
        ("--connects", "1"),
        ("--round-trips", "3"),
        // More than a window.
        ("--messages", "1500"),
        ("--outages", "1"),
        ("--outage", "50"),
        ("--clients", "1"),
    ] {
        command.args([flag, count]);
    }
    let output = command.output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{stderr}");
    // Only bare paho lacks a value: it does not reconnect.
    let missing: Vec<_> = stdout.lines().filter(|line| line.ends_with('–')).collect();
    assert_eq!(missing.len(), 2, "{stdout}{stderr}");
    assert!(
        missing.iter().all(|line| line.starts_with("reconnected") && line.matches('–').count() == 1),
        "{stdout}"
    );
    assert!(stdout.lines().any(|line| line.starts_with("QoS 1, 1000 in flight")), "{stdout}");
    assert!(!stdout.contains("NaN") && !stdout.contains("inf×"), "{stdout}");
}

#[test]
fn a_peer_that_cannot_run_ends_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["--python", "no/such/python", "--node-modules", ".", "--only", "Python"]);
    let output = command.output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot run no/such/python"), "{stderr}");
}

#[test]
fn a_peer_ends_with_its_stdin_whatever_it_is_doing() {
    let mut broker = Mosquitto::unlimited();
    broker.kill();
    let mut python = Command::new(peer::python_interpreter());
    python.arg("-I").arg(workspace().join("crates/testkit/python/bench.py"));
    let mut node = Command::new("node");
    node.arg(workspace().join("crates/testkit/node/bench.mjs")).arg("--modules").arg(peer::node_folder());
    for mut command in [python, node] {
        command.args([
            "--host",
            "localhost",
            "--port",
            &broker.mqtt_port().to_string(),
            "--client-id",
            "test",
        ]);
        command.arg("--ca-file").arg(broker.file("ca.pem"));
        command.arg("--cert").arg(broker.file("client.pem")).arg("--key").arg(broker.file("client.key"));
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // Nobody listens, so this would take for ever.
        stdin.write_all(b"connect 1\n").expect("it reads");
        drop(stdin);
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().expect("it can be waited for").is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{command:?} went on");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
