//! A process that has no file descriptor left.
#![cfg(target_os = "linux")]

use std::env;
use std::fs::File;
use std::process::Command;

use iot_client::{Auth, Client, ClientOptions, Error};
use iot_transport::{Endpoint, Error as TransportError, Identity, Roots};
use sandbox::Sandbox;
use testkit::Outcome;

const NAME: &str = "a_lack_of_file_descriptors_is_named_in_each_layer";

/// Set in the process that has none left: this test, run again.
const IN_CHILD: &str = "COMMON_TEST_WITHOUT_DESCRIPTORS";

#[test]
fn a_lack_of_file_descriptors_is_named_in_each_layer() {
    if env::var_os(IN_CHILD).is_some() {
        return without_descriptors();
    }
    // The trusted roots are the operating system's, or those of a variable.
    for variable in [None, Some(("SSL_CERT_FILE", "ca.pem")), Some(("SSL_CERT_DIR", "."))] {
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "ulimit -n 256 && exec \"$@\"", "sh"]).arg(env::current_exe().unwrap());
        limited.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").envs(variable);
        Outcome::of(limited.args(["--exact", NAME, "--nocapture"]).env(IN_CHILD, "1")).succeeded();
    }
}

fn without_descriptors() {
    let sandbox = Sandbox::start().unwrap();
    let device = sandbox.device();
    let identity = || Identity::from_pem_files(&device.cert_file, &device.key_file);
    let options = |host: &str| {
        let endpoint = Endpoint::parse(host).unwrap().with_port(sandbox.mqtt_port());
        let roots = Roots::from_file(sandbox.ca_file());
        roots.describe().unwrap();
        ClientOptions::new(endpoint, Auth::MutualTls(identity().unwrap()), roots, "test-1").unwrap()
    };
    // RFC 6761 §6.4: there is no such name.
    let (unknown, by_address, mut stored) =
        (options("broker.invalid"), options("127.0.0.1"), options("localhost"));
    stored.persistence = Some(sandbox.state_dir().join("messages"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let mut held = Vec::new();
    let full = loop {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(full.raw_os_error(), Some(24), "{full}");
    let connect = |options| runtime.block_on(Client::connect(options)).unwrap_err();
    let errors = [
        identity().unwrap_err().into(),
        Roots::system().describe().unwrap_err().into(),
        connect(unknown),
        connect(by_address),
        connect(stored),
    ];
    drop(held);
    assert!(matches!(errors[2], Error::Transport(TransportError::Resolve { .. })), "{:?}", errors[2]);
    assert!(matches!(errors[3], Error::Transport(TransportError::Tcp { .. })), "{:?}", errors[3]);
    assert!(matches!(errors[4], Error::Store { .. }), "{:?}", errors[4]);
    for error in errors {
        let (chain, hint) = (format!("{error:?}"), error.hint().unwrap_or_default());
        assert!(chain.contains("Too many open files") && hint.contains("ulimit -n"), "{chain} {hint}");
    }
}
