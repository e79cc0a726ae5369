use std::fs;
use std::path::Path;
use std::time::Duration;

use iot_client::Error;
use iot_transport::{Roots, Route};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::net::unix::pipe;

use super::*;
use crate::credentials::{CredentialSource, Provider};

const KEYS: &str =
    r#"{"Version":1,"AccessKeyId":"ASIAPRINTED","SecretAccessKey":"hush","SessionToken":"quiet"}"#;

/// The profile `dev` of these configuration files.
fn dev(folder: &Path, config: &str) -> Provider {
    let (config_file, credentials_file) = (folder.join("config"), folder.join("credentials"));
    fs::write(&config_file, config).expect("writable");
    fs::write(&credentials_file, "").expect("writable");
    let source = CredentialSource::Profile {
        name: Some("dev".to_owned()),
        config_file: Some(config_file),
        credentials_file: Some(credentials_file),
    };
    Provider::new(source, "us-east-1".to_owned())
}

fn route() -> Route {
    Roots::system().into()
}

async fn refusal(command: &str) -> Error {
    let folder = TempDir::new().expect("a folder");
    let provider = dev(folder.path(), &format!("[profile dev]\ncredential_process = {command}\n"));
    provider.resolve(&route()).await.expect_err("no credentials")
}

fn causes(error: &Error) -> String {
    let own: &(dyn std::error::Error + 'static) = error;
    let chain = std::iter::successors(Some(own), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_role_is_assumed_with_the_credentials_that_the_command_prints() {
    let sts = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let endpoint = format!("endpoint_url = http://{}\n", sts.local_addr().expect("an address"));
    let command = format!("credential_process = printf '%s' '{KEYS}'\n");
    let other = format!(
        "[profile dev]\n{endpoint}role_arn = arn:aws:iam::1:role/r\nsource_profile = base\n[profile base]\n{command}"
    );
    let own =
        format!("[profile dev]\n{endpoint}role_arn = arn:aws:iam::1:role/r\nsource_profile = dev\n{command}");
    // The SDK passes over half a key, too.
    let half = format!("{other}aws_access_key_id = AKIASTRAY\n");
    for config in [other, own, half] {
        let folder = TempDir::new().expect("a folder");
        let provider = dev(folder.path(), &config);
        let route = route();
        let (resolved, request) = tokio::join!(provider.resolve(&route), answer_assume_role(&sts));
        assert_eq!(resolved.expect("assumes the role").credentials().access_key_id(), "ASIAROLE");
        assert!(request.contains("Credential=ASIAPRINTED/"), "{request}");
        assert!(request.contains("Action=AssumeRole&"), "{request}");
    }
}

#[tokio::test]
async fn roles_are_assumed_from_the_credentials_on_each_with_its_external_id() {
    let sts = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let endpoint = format!("endpoint_url = http://{}\n", sts.local_addr().expect("an address"));
    let role = |name| format!("role_arn = arn:aws:iam::1:role/{name}\nexternal_id = id-of-{name}\n");
    let config = format!(
        "[profile dev]\n{endpoint}{}source_profile = middle\n[profile middle]\n{}source_profile = base\n\
         [profile base]\ncredential_process = printf '%s' '{KEYS}'\n",
        role("last"),
        role("first")
    );
    let folder = TempDir::new().expect("a folder");
    let provider = dev(folder.path(), &config);
    let answers = async { [answer_assume_role(&sts).await, answer_assume_role(&sts).await] };
    let route = route();
    let (resolved, requests) = tokio::join!(provider.resolve(&route), answers);
    resolved.expect("assumes the roles");
    for (request, (key, name)) in requests.iter().zip([("ASIAPRINTED", "first"), ("ASIAROLE", "last")]) {
        assert!(request.contains(&format!("Credential={key}/")), "{request}");
        assert!(request.contains(&format!("role%2F{name}&")), "{request}");
        assert!(request.contains(&format!("ExternalId=id-of-{name}")), "{request}");
    }
}

/// Answers one request as AWS STS does; the request.
async fn answer_assume_role(sts: &TcpListener) -> String {
    let (mut stream, _) = sts.accept().await.expect("accepts");
    let (mut request, mut chunk) = (String::new(), [0; 4096]);
    let is_whole = |request: &str| {
        let (head, body) = request.split_once("\r\n\r\n")?;
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        Some(body.len() >= length.unwrap_or(0_usize))
    };
    while is_whole(&request) != Some(true) {
        let length = stream.read(&mut chunk).await.expect("reads");
        assert_ne!(length, 0, "the request ends: {request}");
        request.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("writes");
    request
}

#[tokio::test]
async fn a_command_that_gives_no_credentials_is_told_apart_by_how_it_failed() {
    for (command, expected) in [
        (
            r"printf 'the vault\n \033[1mis\033[0m sealed\n' >&2; exit 3",
            "failed (exit status: 3): the vault [1mis [0m sealed",
        ),
        ("exit 4", "failed (exit status: 4)"),
        ("kill -9 $$", "failed (signal: 9 (SIGKILL))"),
        ("head -c 70000 /dev/zero", "printed more than 64 KiB"),
        ("yes hush", "printed more than 64 KiB"),
        ("true", "printed nothing"),
        ("echo hush", "printed no JSON object"),
        (r#"echo '{"Version":1,"SecretAccessKey":"hush"}'"#, "printed no AccessKeyId"),
    ] {
        let error = refusal(command).await;
        let text = causes(&error);
        assert!(text.contains("credential_process of profile \"dev\""), "{command}: {text}");
        assert!(text.ends_with(expected), "{command}: {text}");
        assert!(!text.contains("hush") && !format!("{error:?}").contains("hush"), "{command}: {error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("by hand")), "{command}");
    }
    // The end of a long complaint tells most.
    let text = causes(&refusal("head -c 5000 /dev/zero | tr '\\0' x >&2; echo ' sealed' >&2; exit 1").await);
    assert!(text.contains("): …xxx") && text.ends_with("x sealed") && text.len() < 1500, "{text}");
}

#[tokio::test]
async fn the_shells_message_about_the_command_is_not_shown() {
    let long = format!("true {} 'hush", "x".repeat(5000));
    for command in [
        "true --password=hun|hush",
        "/nowhere/hush",
        "/",
        "echo hush (",
        "true < /nowhere/hush",
        "echo 'hush",
        &long,
    ] {
        let text = causes(&refusal(command).await);
        assert!(text.contains(" failed (exit status: "), "{command}: {text}");
        assert!(text.ends_with(": the shell's message is not shown, as it may repeat the command"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
    let text = causes(&refusal("hush; echo 'the vault is sealed' >&2; exit 3").await);
    assert!(text.ends_with("failed (exit status: 3): the vault is sealed"), "{text}");
}

#[test]
fn a_line_of_the_shell_stays_hidden_where_its_beginning_is_cut_off() {
    let shells = format!("sh: -c: line 1: `{}hush", "x".repeat(2 * STDERR_TAIL));
    let own = format!("{}sealed", "x".repeat(2 * STDERR_TAIL));
    for (text, is_shown) in [(shells.clone(), false), (own, true), (format!("first\n{shells}"), false)] {
        // At once, and in pieces.
        for piece in [text.len(), STDERR_TAIL / 3] {
            let mut tail = Tail::default();
            for piece in text.as_bytes().chunks(piece) {
                tail.bytes.extend_from_slice(piece);
                tail.cut();
            }
            let words = tail.into_words();
            assert!(!words.contains("hush") && !words.contains("xx") || is_shown, "{words}");
            assert_eq!(words.ends_with("sealed"), is_shown, "{words}");
        }
    }
}

#[tokio::test]
async fn a_process_that_is_left_in_the_background_is_not_waited_for() {
    let folder = TempDir::new().expect("a folder");
    let number = folder.path().join("number");
    let command = format!("sleep 1000 & echo $! > {}; printf '%s' '{KEYS}'", number.display());
    let provider = dev(folder.path(), &format!("[profile dev]\ncredential_process = {command}\n"));
    let resolved = provider.resolve(&route()).await;
    let background =
        fs::read_to_string(number).expect("readable").trim().parse().ok().and_then(Pid::from_raw);
    kill_process(background.expect("a process"), Signal::KILL).expect("an agent goes on");
    assert_eq!(resolved.expect("credentials").credentials().access_key_id(), "ASIAPRINTED");
}

/// A command that hangs: the process itself, a child in the background, and another two generations down. It writes the
/// number of each to the FIFO `started`.
const HANGING: &str = "sleep 1000 & echo $! > started; sh -c 'sleep 1000 & echo $! > started; wait' & \
                       echo $! > started; echo $$ > started; wait";

#[tokio::test]
async fn a_dropped_attempt_leaves_no_process() {
    let folder = TempDir::new().expect("a folder");
    let fifo = folder.path().join("started");
    let made = Command::new("mkfifo").arg(&fifo).status().await.expect("mkfifo runs");
    assert!(made.success());
    // Held open for writing as well, so that it does not end between two writers.
    let started = pipe::OpenOptions::new().read_write(true).open_receiver(&fifo).expect("opens");
    let mut started = BufReader::new(started).lines();
    let command = HANGING.replace("started", &fifo.display().to_string());
    let provider = dev(folder.path(), &format!("[profile dev]\ncredential_process = {command}\n"));

    let mut processes = Vec::new();
    let route = route();
    tokio::select! {
        resolved = provider.resolve(&route) => panic!("the command has ended: {resolved:?}"),
        () = async {
            while processes.len() < 4 {
                let line = started.next_line().await.expect("reads").expect("goes on");
                processes.push(line.parse().ok().and_then(Pid::from_raw).expect("a process"));
            }
        } => {}
    }
    // The last is the child itself, which this program reaps; the others are left to init.
    let child = processes[3];
    for process in processes {
        within_a_minute(|| has_ended(process)).await;
    }
    within_a_minute(|| test_kill_process(child).is_err()).await;
}

async fn within_a_minute(is_true: impl Fn() -> bool) {
    let wait = async {
        while !is_true() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("within a minute");
}

/// Returns whether the process is gone, or only waits to be reaped.
fn has_ended(process: Pid) -> bool {
    let state = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &process.as_raw_nonzero().to_string()])
        .output()
        .expect("ps runs");
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    state.is_empty() || state.starts_with('Z')
}
