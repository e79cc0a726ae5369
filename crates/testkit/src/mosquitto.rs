use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, io};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use tempfile::TempDir;

use crate::free_port::free_port;

/// A mosquitto broker on 127.0.0.1, ended on drop: a second implementation to try a client against.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    mqtt_port: u16,
    second_port: u16,
    settings: Settings,
    folder: TempDir,
}

/// What follows the listener for MQTT with mutual TLS in its configuration.
type Settings = fn(second_port: u16, tls: &str) -> String;

impl Mosquitto {
    /// Starts it with two TLS listeners: one for MQTT, which wants a client certificate, and one for MQTT over
    /// WebSocket, which does not.
    ///
    /// # Panics
    ///
    /// When mosquitto is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(|port, tls| {
            format!("log_type all\nlistener {port} 127.0.0.1\nprotocol websockets\n{tls}\n")
        })
    }

    /// Starts it to measure clients with: one listener for mutual TLS, another for plain TCP, no limit of its own on
    /// messages in flight or queued, no delay, and nothing logged for a message.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn unlimited() -> Self {
        Self::with(|port, _| {
            format!(
                "log_type error\nlog_type warning\nlog_type information\nset_tcp_nodelay true\n\
                 max_inflight_messages 0\nmax_queued_messages 0\nlistener {port} 127.0.0.1\n"
            )
        })
    }

    fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        write_certificates(folder.path());
        // mosquitto cannot be asked for a free port, so one that was free a moment ago is tried, and another if
        // somebody was faster.
        for _ in 0..10 {
            let (mqtt_port, second_port) = (free_port(), free_port());
            if let Some(child) = launch(folder.path(), mqtt_port, second_port, settings) {
                return Self { child, mqtt_port, second_port, settings, folder };
            }
        }
        panic!("mosquitto found no free port in ten attempts");
    }

    /// The port for MQTT with mutual TLS.
    #[must_use]
    pub fn mqtt_port(&self) -> u16 {
        self.mqtt_port
    }

    /// The port for MQTT over WebSocket with TLS, of one that was [started](Self::start).
    #[must_use]
    pub fn websocket_port(&self) -> u16 {
        self.second_port
    }

    /// The port for MQTT over plain TCP, of an [unlimited](Self::unlimited) one.
    #[must_use]
    pub fn plain_port(&self) -> u16 {
        self.second_port
    }

    /// Its process, until it is [resumed](Self::resume).
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would; the system closes its connections.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same ports and returns when it listens.
    ///
    /// # Panics
    ///
    /// When somebody else has taken a port meanwhile.
    pub fn resume(&mut self) {
        self.child = launch(self.folder.path(), self.mqtt_port, self.second_port, self.settings)
            .expect("nobody else takes a port that was in use a moment ago");
    }

    /// A file next to its configuration: `ca.pem`, `client.pem`, `client.key`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `None` when a port was taken.
fn launch(folder: &Path, mqtt_port: u16, second_port: u16, settings: Settings) -> Option<Child> {
    let tls = format!("cafile {0}/ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key", folder.display());
    let configuration = format!(
        "per_listener_settings false\nallow_anonymous true\nlog_dest stderr\n\
         listener {mqtt_port} 127.0.0.1\n{tls}\nrequire_certificate true\n{}",
        settings(second_port, &tls)
    );
    let file = folder.join("mosquitto.conf");
    fs::write(&file, configuration).expect("the folder is writable");
    // Debian keeps it where only root's PATH leads.
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin";
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(file).env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            panic!("mosquitto is not installed: run `cargo xtask setup --tests` first")
        }
        Err(error) => panic!("cannot start mosquitto: {error}"),
    };
    let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut said = String::new();
    while log.read_line(&mut said).is_ok_and(|length| length > 0) {
        if said.trim_end().ends_with("running") {
            // Read on, so that it never waits for a reader.
            std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
            return Some(child);
        }
    }
    // It has closed its log, so it has ended.
    let _ = child.wait();
    assert!(said.contains("Address already in use"), "mosquitto ended: {said}");
    None
}

/// A CA, and a certificate of its for `localhost` and for a client.
fn write_certificates(folder: &Path) {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a P-256 key can be made");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "mosquitto test CA");
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("a CA can be made");
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("the folder is writable");
    };
    write("ca.pem", authority.pem());
    for (name, subject) in [("server", "localhost"), ("client", "device")] {
        let mut params = CertificateParams::new([subject.to_owned()]).expect("a valid name");
        params.distinguished_name.push(DnType::CommonName, subject);
        let key = key();
        let certificate = params.signed_by(&key, &authority).expect("the CA can sign");
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}
