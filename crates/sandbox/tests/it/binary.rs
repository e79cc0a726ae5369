//! The binary: its files, its words, its ends.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::policies_dir;
use crate::support::tls::text;

fn command(state_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command
        .env_clear()
        .args(["--mqtt-port", "0", "--https-port", "0", "--state-dir"])
        .arg(state_dir)
        .arg("--policies-dir")
        .arg(policies_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Reads standard output until the last command of the table.
fn ready(child: &mut Child) -> String {
    let mut table = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    while !table.contains(" --x509-key ") {
        assert_ne!(stdout.read_line(&mut table).unwrap(), 0, "{table}");
    }
    table
}

#[test]
fn prints_a_table_and_ends_with_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = command(directory.path()).arg("--until-stdin-closes").spawn().unwrap();
    let table = ready(&mut child);
    let contract = directory.path().join("sandbox.json");
    let json: serde_json::Value = serde_json::from_str(&text(&contract)).unwrap();
    for words in [
        format!("cargo run -p pubsub -- --endpoint localhost --port {} --ca-file ", json["mqtt_port"]),
        format!(
            "cargo run -p sigv4_websocket_connect -- --endpoint localhost --port {} ",
            json["https_port"]
        ),
        format!(
            "AWS_IOT_PKCS12_PASSWORD={} cargo run -p pkcs12_connect -- --endpoint localhost --port {} ",
            json["device"]["pkcs12_password"].as_str().unwrap(),
            json["mqtt_port"]
        ),
        format!(
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY={} cargo run -p cognito_connect -- --endpoint localhost --port {} ",
            json["cognito"]["endpoint"].as_str().unwrap(),
            json["https_port"]
        ),
        format!(" --cognito-identity {}\n", json["cognito"]["identity_id"].as_str().unwrap()),
        format!(
            "cargo run -p x509_credentials_connect -- --endpoint localhost --port {} ",
            json["https_port"]
        ),
        format!(
            " --x509-endpoint {} --x509-role-alias test-role-alias --x509-thing-name sandbox-thing ",
            json["credentials_provider"]["endpoint"].as_str().unwrap()
        ),
        format!(
            "AWS_IOT_AUTH_PASSWORD={} cargo run -p custom_auth_connect -- --endpoint localhost --port {} ",
            json["authorizers"]["unsigned"]["password"].as_str().unwrap(),
            json["https_port"]
        ),
        format!(
            "AWS_IOT_AUTH_SIGNATURE={} ",
            json["authorizers"]["signed"]["token_signature"].as_str().unwrap()
        ),
        format!("AWS_ACCESS_KEY_ID={} ", json["credentials"]["access_key_id"].as_str().unwrap()),
    ] {
        assert!(table.contains(&words), "{words}\n{table}");
    }
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!contract.exists());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(!log.contains(json["credentials"]["secret_access_key"].as_str().unwrap()));
}

#[cfg(unix)]
#[test]
fn ends_with_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    for signal in ["-TERM", "-HUP", "-INT"] {
        let mut child = command(directory.path()).spawn().unwrap();
        ready(&mut child);
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(child.wait().unwrap().success(), "{signal}");
        assert!(!directory.path().join("sandbox.json").exists());
    }
}

#[test]
fn a_second_one_in_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = command(directory.path()).arg("--until-stdin-closes").spawn().unwrap();
    ready(&mut first);
    let second = command(directory.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(words.contains("another sandbox uses ") && !words.contains("panicked"), "{words}");
    assert!(directory.path().join("sandbox.json").exists(), "the first one's file stays");
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
}

#[test]
fn names_the_port_that_is_taken_and_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    for (flag, other) in [("--mqtt-port", "--https-port"), ("--https-port", "--mqtt-port")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .env_clear()
            .args([flag, &port, other, "0", "--state-dir"])
            .arg(directory.path())
            .arg("--policies-dir")
            .arg(policies_dir())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = String::new();
        child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(words.contains(&format!("port {port} ")) && words.contains(flag), "{words}");
        assert!(!directory.path().join("sandbox.json").exists());
    }
}

/// The binary with a limit on open files.
#[cfg(target_os = "linux")]
fn limited(state_dir: &Path, files: u32) -> Command {
    let mut command = Command::new("/bin/sh");
    let limit = format!("ulimit -n {files} && exec \"$@\"");
    command.args(["-c", &limit, "sh", env!("CARGO_BIN_EXE_sandbox")]);
    command.args(["--mqtt-port", "0", "--https-port", "0", "--state-dir"]).arg(state_dir);
    command.arg("--policies-dir").arg(policies_dir()).arg("--until-stdin-closes").env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[cfg(target_os = "linux")]
#[test]
fn a_lack_of_file_descriptors_is_named_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    for files in [5, 12, 16] {
        let outcome = limited(directory.path(), files).output().unwrap();
        let words = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{files}: {words}");
        for expected in ["error: ", "Too many open files", "hint: ", "ulimit -n"] {
            assert!(words.contains(expected), "{files}: {words}");
        }
        assert!(!words.contains("--mqtt-port") && !words.contains("panicked"), "{files}: {words}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_lack_of_file_descriptors_is_named_when_no_more_connections_can_be_accepted() {
    const FILES: usize = 128;
    let directory = tempfile::tempdir().unwrap();
    let mut child = limited(directory.path(), FILES as u32).spawn().unwrap();
    ready(&mut child);
    let contract = text(&directory.path().join("sandbox.json"));
    let json: serde_json::Value = serde_json::from_str(&contract).unwrap();
    let port = json["mqtt_port"].as_u64().unwrap() as u16;
    let connections: Vec<_> =
        (0..FILES).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()).collect();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let refused = log.find(|line| line.as_ref().unwrap().contains("cannot accept a connection"));
    let refused = refused.expect("it is logged").unwrap();
    assert!(refused.contains("Too many open files") && refused.contains("ulimit -n"), "{refused}");
    drop((connections, child.stdin.take()));
    // Its log has to be read to the end, or it may wait for a reader.
    log.for_each(drop);
    assert!(child.wait().unwrap().success());
}
