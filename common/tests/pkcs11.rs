//! Keys on tokens of SoftHSM2, over the life of a client.
//!
//! The library reads SOFTHSM2_CONF when it starts, once in a process, so each test runs in a process of its own:
//! `on_a_token` starts this very binary again.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use iot_client::{Auth, Client, ClientOptions};
use iot_transport::{Endpoint, Error as TransportError, Identity, Pkcs11Options, Roots};
use sandbox::Sandbox;
use secrecy::SecretString;
use testkit::{KeyKind, Outcome, SoftHsm};

/// The folder of the token, in the inner process.
const FOLDER: &str = "PKCS11_TEST_FOLDER";

/// Runs `test`, whose name is `name`, with a sandbox and a token that has its device's key.
fn on_a_token<F: Future>(name: &str, test: impl FnOnce(Sandbox, SoftHsm) -> F) {
    if let Some(folder) = env::var_os(FOLDER) {
        let sandbox = Sandbox::start().unwrap();
        let hsm = SoftHsm::at(Path::new(&folder), "");
        hsm.make_device(&sandbox, KeyKind::P256);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(sandbox, hsm));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(FOLDER, folder.path());
    command.env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf"));
    command.env("PKCS11SPY", SoftHsm::library()).env("PKCS11SPY_OUTPUT", folder.path().join("spy.log"));
    let outcome = Outcome::of(&mut command).succeeded();
    assert!(outcome.stdout.contains("1 passed"), "{outcome:?}");
}

fn identity(module: impl Into<PathBuf>, pin: &str) -> Result<Identity, TransportError> {
    Identity::from_pkcs11(&Pkcs11Options::new(module), || Ok(Some(SecretString::from(pin))))
}

fn options(sandbox: &Sandbox, identity: Identity, client_id: &str) -> ClientOptions {
    let endpoint = Endpoint::parse(sandbox.endpoint()).unwrap().with_port(sandbox.mqtt_port());
    let roots = Roots::from_file(sandbox.ca_file());
    ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, client_id).unwrap()
}

/// The library as this process has it, which knows of nobody's sessions.
fn library(module: &Path) -> Pkcs11 {
    let library = Pkcs11::new(module).unwrap();
    let already = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    assert!(already.unwrap_err().to_string().contains("already been initialized"));
    library
}

/// Ends every login of this process on the token.
fn log_out(module: &Path) {
    let library = library(module);
    let slots = library.get_slots_with_initialized_token().unwrap();
    library.open_ro_session(slots[0]).unwrap().logout().unwrap();
}

/// Connects by a handshake in full: what a client remembers of an earlier one (RFC 8446 §2.2) would need no signature.
async fn connects(sandbox: &Sandbox, identity: &Identity) {
    let (client, _) = Client::connect(options(sandbox, identity.clone(), "test-1")).await.unwrap();
    client.disconnect().await.unwrap();
}

#[test]
fn a_session_that_is_lost_is_opened_again() {
    on_a_token("a_session_that_is_lost_is_opened_again", |sandbox, hsm| async move {
        let module = SoftHsm::spy();
        let identity = identity(&module, SoftHsm::PIN).unwrap();
        connects(&sandbox, &identity).await;
        assert_eq!(logins(&hsm), 1);
        log_out(&module);
        connects(&sandbox, &identity).await;
        assert_eq!(logins(&hsm), 2, "the session had to be opened again");
        library(&module).finalize().unwrap();
        connects(&sandbox, &identity).await;
        connects(&sandbox, &identity).await;
        assert_eq!(logins(&hsm), 3);
    });
}

#[test]
fn two_clients_share_a_library_and_a_login() {
    on_a_token("two_clients_share_a_library_and_a_login", |sandbox, _hsm| async move {
        let first = identity(SoftHsm::library(), SoftHsm::PIN).unwrap();
        let second = identity(SoftHsm::library(), SoftHsm::PIN).unwrap();
        let clients = tokio::join!(
            Client::connect(options(&sandbox, first.clone(), "test-1")),
            Client::connect(options(&sandbox, second, "test-2")),
        );
        assert!(clients.0.is_ok() && clients.1.is_ok());
        drop(clients.1);
        // The end of one is not the end of the other.
        connects(&sandbox, &first).await;
    });
}

#[test]
fn a_wrong_pin_is_not_tried_again() {
    on_a_token("a_wrong_pin_is_not_tried_again", |_sandbox, hsm| async move {
        for _ in 0..3 {
            let error = identity(SoftHsm::spy(), "8642").unwrap_err();
            assert!(error.to_string().contains("refused the PIN"), "{error}");
            assert!(!format!("{error:?}").contains("8642"));
        }
        assert_eq!(logins(&hsm), 1);
        identity(SoftHsm::spy(), SoftHsm::PIN).unwrap();
        assert_eq!(logins(&hsm), 2, "another PIN is");
    });
}

#[test]
fn a_pin_that_has_become_wrong_is_tried_once() {
    on_a_token("a_pin_that_has_become_wrong_is_tried_once", |sandbox, hsm| async move {
        let module = SoftHsm::spy();
        let identity = identity(&module, SoftHsm::PIN).unwrap();
        connects(&sandbox, &identity).await;
        hsm.pkcs11_tool("device", &["--change-pin", "--new-pin", "another-pin"]).succeeded();
        // SoftHSM2 reads the token anew only when it starts.
        library(&module).finalize().unwrap();
        for _ in 0..3 {
            let options = options(&sandbox, identity.clone(), "test-1");
            let error = Client::connect(options).await.unwrap_err();
            assert!(format!("{error:?}").contains("refused the PIN"), "{error:?}");
        }
        assert_eq!(logins(&hsm), 2);
    });
}

#[test]
fn the_certificate_of_the_key_is_found_behind_its_ca() {
    on_a_token("the_certificate_of_the_key_is_found_behind_its_ca", |sandbox, hsm| async move {
        let certificate = hsm.add_device(&sandbox, KeyKind::P256, "second", "02");
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let mut options = Pkcs11Options::new(SoftHsm::library());
        options.key.label = Some("second".to_owned());
        options.certificate = Some(hsm.file("chain.pem", &(read(sandbox.ca_file()) + &read(&certificate))));
        let pin = || Ok(Some(SecretString::from(SoftHsm::PIN)));
        let identity = Identity::from_pkcs11(&options, pin).unwrap();
        connects(&sandbox, &identity).await;
        options.key.label = Some("device".to_owned());
        let error = Identity::from_pkcs11(&options, pin).unwrap_err().to_string();
        assert!(error.contains("does not belong to the client certificate"), "{error}");
    });
}

/// How often C_Login was called through the spy.
fn logins(hsm: &SoftHsm) -> usize {
    let log = fs::read_to_string(hsm.config().with_file_name("spy.log")).unwrap();
    log.lines().filter(|line| line.ends_with(": C_Login")).count()
}
