//! Start, stop, restart, and the files.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sandbox::{ListenError, Sandbox, ServerCertificate};

use crate::support::mqtt::{Connect, Publish, connected, open};
use crate::support::tls::{self, Options, text};
use crate::support::{builder, policies_dir, start};

#[test]
fn stop_closes_everything_and_restart_keeps_identities() {
    let mut sandbox = start();
    let keep = Connect { clean: false, properties: &[0x11, 0, 0, 1, 0], ..Connect::v5("kept") };
    let mut client = connected(&sandbox, &keep);
    let (ports, ca) = ((sandbox.mqtt_port(), sandbox.https_port()), text(sandbox.ca_file()));
    let metadata = sandbox.metadata().endpoint.strip_prefix("http://").unwrap().to_owned();
    sandbox.stop();
    client.closed();
    for address in [format!("127.0.0.1:{}", ports.0), format!("127.0.0.1:{}", ports.1), metadata.clone()] {
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    assert!(sandbox.publish("a", b"").is_err());
    assert!(!sandbox.disconnect("kept", 0x8B, None));

    sandbox.restart().unwrap();
    assert_eq!(((sandbox.mqtt_port(), sandbox.https_port()), text(sandbox.ca_file())), (ports, ca));
    TcpStream::connect(metadata).unwrap();
    let (_client, connack) = open(&sandbox, &keep);
    assert_eq!(connack.body[..2], [0, 0], "no session is present");
    assert_eq!(sandbox.connections().len(), 2);
    // A running one may be restarted too.
    sandbox.restart().unwrap();
    connected(&sandbox, &Connect::v5("again")).ping();
}

#[test]
fn stop_does_not_wait_for_answers() {
    let mut sandbox = builder().metadata_delay(Duration::from_secs(3600)).start().unwrap();
    let mut client =
        TcpStream::connect(sandbox.metadata().endpoint.strip_prefix("http://").unwrap()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    // Until the request was read.
    assert!(sandbox.connections().is_empty());
    sandbox.stop();
    let mut answer = Vec::new();
    // An end or a reset, whichever.
    let _ = client.read_to_end(&mut answer);
    assert!(answer.is_empty());
    sandbox.restart().unwrap();
}

#[tokio::test]
async fn works_in_asynchronous_tests() {
    let sandbox = start();
    sandbox.publish("a", b"payload").unwrap();
    drop(sandbox);
}

#[test]
fn a_contract_of_an_earlier_run_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sandbox.json"), "{}").unwrap();
    let _sandbox = builder().state_dir(directory.path()).start().unwrap();
    assert!(!directory.path().join("sandbox.json").exists());
}

#[test]
fn a_state_directory_is_for_one_sandbox_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = builder().state_dir(directory.path()).start().unwrap();
    let contract = first.write_contract().unwrap();
    // A stopped one may be started again.
    first.stop();
    let error = builder().state_dir(directory.path()).start().unwrap_err().to_string();
    assert_eq!(error, format!("another sandbox uses {}", first.state_dir().display()));
    assert!(contract.exists());
    drop(first);
    builder().state_dir(directory.path()).start().unwrap();
}

#[cfg(unix)]
#[test]
fn only_the_last_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mode = |name: &str| directory.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    std::fs::create_dir(directory.path().join("default")).unwrap();
    let _sandbox = builder().state_dir(directory.path().join("parent/state")).start().unwrap();
    assert_eq!((mode("parent"), mode("parent/state")), (mode("default"), 0o700));
}

#[test]
fn a_restart_names_a_port_that_stays_taken() {
    let mut sandbox = start();
    sandbox.stop();
    let taken = TcpListener::bind(("127.0.0.1", sandbox.mqtt_port())).unwrap();
    let error = sandbox.restart().unwrap_err();
    assert_eq!(error.downcast_ref::<ListenError>().map(|error| error.port), Some(sandbox.mqtt_port()));
    drop(taken);
    sandbox.restart().unwrap();
    connected(&sandbox, &Connect::v5("again")).ping();
}

#[test]
fn the_handles_may_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Sandbox>();
    shared::<sandbox::Relay>();
}

#[test]
fn many_sandboxes_stay_apart() {
    let sandboxes: Vec<Sandbox> = (0..5).map(|_| start()).collect();
    for sandbox in &sandboxes {
        connected(sandbox, &Connect::v5("same")).ping();
    }
    assert!(sandboxes.iter().all(|sandbox| sandbox.connections().len() == 1));
    assert_ne!(sandboxes[0].credentials(), sandboxes[1].credentials());
}

#[test]
fn the_temporary_directory_goes_with_the_sandbox() {
    let sandbox = start();
    let directory = sandbox.state_dir().to_owned();
    assert!(directory.is_absolute() && directory.is_dir());
    drop(sandbox);
    assert!(!directory.exists());
}

#[test]
fn the_files_of_the_state_directory() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = builder().state_dir(directory.path().join("new")).start().unwrap();
    let contract = sandbox.write_contract().unwrap();
    let json: serde_json::Value = serde_json::from_str(&text(&contract)).unwrap();
    assert_eq!(json["endpoint"], "localhost");
    assert_eq!(json["mqtt_port"], sandbox.mqtt_port());
    assert_eq!(json["https_port"], sandbox.https_port());
    assert_eq!((&json["region"], &json["account_id"]), (&"us-east-1".into(), &"123456789012".into()));
    assert_eq!(json["ca_file"], sandbox.ca_file().to_str().unwrap());
    assert_eq!(json["device"]["thing_name"], sandbox.device().thing_name.as_str());
    assert_eq!(json["device"]["cert_file"], sandbox.device().cert_file.to_str().unwrap());
    assert_eq!(json["device"]["key_file"], sandbox.device().key_file.to_str().unwrap());
    let device = sandbox.device();
    assert_eq!(json["device"]["pkcs12_file"], device.pkcs12_file.to_str().unwrap());
    assert_eq!(json["device"]["pkcs12_password"], device.pkcs12_password.as_str());
    assert_eq!(json["cognito"]["endpoint"], format!("https://localhost:{}", sandbox.https_port()));
    assert_eq!(json["cognito"]["login_token"], sandbox.cognito().login_token.as_str());
    assert_eq!(
        json["sts"]["web_identity_token_file"],
        sandbox.sts().web_identity_token_file.to_str().unwrap()
    );
    assert_eq!(json["sso"]["access_token"], sandbox.sso().access_token.as_str());
    let sign_in = sandbox.sign_in();
    assert_eq!(json["sign_in"]["login_session"], sign_in.login_session.as_str());
    assert_eq!(json["sign_in"]["cache_file"], sign_in.cache_file.to_str().unwrap());
    assert_eq!(json["metadata"]["endpoint"], sandbox.metadata().endpoint.as_str());
    let provider = format!("localhost:{}", sandbox.https_port());
    assert_eq!(json["credentials_provider"]["endpoint"], provider);
    let keys = sandbox.credentials();
    assert_eq!(json["credentials"]["secret_access_key"], keys.secret_access_key.as_str());
    let authorizers = sandbox.authorizers();
    assert_eq!(json["authorizers"]["unsigned"]["password"], authorizers.unsigned.password.as_str());
    assert_eq!(json["authorizers"]["signed"]["token_signature"], authorizers.signed.token_signature.as_str());
    assert_eq!(json.as_object().unwrap().len(), 16, "what is not built is absent");

    assert!(text(sandbox.ca_file()).starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(text(&device.key_file).starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS#8");
    let ini = text(sandbox.credentials_file());
    assert!(ini.contains(&format!("aws_session_token = {}\n", keys.session_token)), "{ini}");
    let files = [
        sandbox.ca_file(),
        &device.key_file,
        &device.pkcs12_file,
        &sandbox.sts().web_identity_token_file,
        &sandbox.sign_in().cache_file,
        sandbox.credentials_file(),
        &contract,
    ];
    assert!(files.iter().all(|file| file.is_absolute() && file.starts_with(sandbox.state_dir())));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert!(files.iter().all(|file| mode(file) == 0o600));
        assert_eq!(mode(sandbox.state_dir()), 0o700);
    }
    let crashed = directory.path().join("new");
    assert!(builder().state_dir(&crashed).mqtt_port(sandbox.mqtt_port()).start().is_err());
    assert!(contract.exists(), "one that cannot start leaves the other's file alone");
    sandbox.remove_contract().unwrap();
    sandbox.remove_contract().unwrap();
    assert!(!contract.exists());
    drop(sandbox);
    assert!(directory.path().join("new/ca.pem").exists());
}

#[test]
fn faults_at_the_start_are_named() {
    let sandbox = start();
    let error = builder().https_port(sandbox.mqtt_port()).start().unwrap_err();
    assert_eq!(error.downcast_ref::<ListenError>().map(|error| error.port), Some(sandbox.mqtt_port()));

    let empty = tempfile::tempdir().unwrap();
    let error = Sandbox::builder().policies_dir(empty.path()).start().unwrap_err().to_string();
    assert!(error.contains(empty.path().to_str().unwrap()), "{error}");
    std::fs::write(empty.path().join("broken.json"), "{").unwrap();
    let error = format!("{:#}", Sandbox::builder().policies_dir(empty.path()).start().unwrap_err());
    assert!(error.contains("broken.json"), "{error}");
    assert!(policies_dir().is_dir());
}

#[test]
fn a_restart_may_bring_another_certificate() {
    fn presented(sandbox: &Sandbox) -> Vec<u8> {
        let stream = tls::connect(&Options::mqtt(sandbox)).unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }
    let mut sandbox = start();
    let first = presented(&sandbox);
    sandbox.restart().unwrap();
    assert_eq!(presented(&sandbox), first);
    sandbox.restart_with(ServerCertificate::Valid).unwrap();
    assert_ne!(presented(&sandbox), first);
    connected(&sandbox, &Connect::v5("again")).ping();
    sandbox.restart_with(ServerCertificate::UnknownIssuer).unwrap();
    assert!(tls::connect(&Options::mqtt(&sandbox)).unwrap_err().to_string().contains("UnknownIssuer"));
}

#[test]
fn a_recording_has_what_clients_publish_to_its_topic() {
    let mut sandbox = start();
    let recording = sandbox.record("a");
    let publish = |sandbox: &Sandbox, topics: &[&str]| {
        let mut client = connected(sandbox, &Connect::v5("publisher"));
        for topic in topics {
            client.publish(&Publish::new(topic, 0));
        }
        client.ping();
    };
    publish(&sandbox, &["a", "b", "a"]);
    sandbox.publish("a", b"by nobody").unwrap();
    sandbox.restart().unwrap();
    publish(&sandbox, &["a"]);
    let messages = recording.messages();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages.iter().all(|message| message.client_id == "publisher" && message.payload == b"hello"));
}
