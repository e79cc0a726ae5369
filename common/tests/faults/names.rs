//! The resolver does not know the broker's name for a while. A real one: libnss-wrapper gives it a hosts file of the
//! test's.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use iot_client::{Auth, ClientOptions, Event, MqttVersion};
use iot_transport::{Endpoint, Identity, Roots};
use sandbox::{Sandbox, ServerCertificate};

use crate::row::{TOPIC, number, publish, report};
use crate::support::connect;
use crate::{quick, relay_to};

/// What [`ServerCertificate::WrongHost`] is for.
const NAME: &str = "wrong-host.example.com";

const PORT: &str = "TEST_PORT";
const FILES: [&str; 3] = ["TEST_CA_FILE", "TEST_CERT_FILE", "TEST_KEY_FILE"];

/// The resolver's hosts file.
struct Hosts<'a> {
    file: &'a Path,
    changes: u64,
}

impl Hosts<'_> {
    /// libnss-wrapper reads it again when its time, in seconds, has changed.
    fn write(&mut self, line: &str) {
        self.changes += 1;
        fs::write(self.file, line).unwrap();
        let time = SystemTime::now() + Duration::from_secs(10 * self.changes);
        File::options().write(true).open(self.file).unwrap().set_modified(time).unwrap();
    }
}

/// The client, in a process of its own, and what it says.
struct Device {
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Device {
    /// The rest of the next line that has these words.
    fn says(&mut self, words: &str) -> String {
        let mut heard = String::new();
        loop {
            let mut line = String::new();
            let count = self.says.read_line(&mut line).unwrap();
            assert_ne!(count, 0, "it ended without {words:?}: {heard}");
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
            heard += &line;
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_for_a_while() {
    if let Ok(port) = env::var(PORT) {
        return device(port.parse().unwrap()).await;
    }
    let sandbox = Sandbox::builder().server_certificate(ServerCertificate::WrongHost).start().unwrap();
    let relay = relay_to(sandbox.mqtt_port());
    let recording = sandbox.record(TOPIC);
    let folder = tempfile::tempdir().unwrap();
    let mut hosts = Hosts { file: &folder.path().join("hosts"), changes: 0 };
    let known = format!("127.0.0.1 {NAME}\n");
    hosts.write(&known);
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "names::a_name_that_cannot_be_resolved_for_a_while", "--nocapture"])
        .env_clear()
        .env("LD_PRELOAD", "libnss_wrapper.so")
        .env("NSS_WRAPPER_HOSTS", hosts.file)
        .env(PORT, relay.port().to_string());
    let device = sandbox.device();
    for (name, file) in FILES.into_iter().zip([sandbox.ca_file(), &device.cert_file, &device.key_file]) {
        command.env(name, file);
    }
    let outage = move || {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        let mut device = Device { process, says };
        device.says("event: connected");
        (device, relay)
    };
    // A thread may wait for the child's lines; the deadline is that of its operations.
    let (mut device, relay) = tokio::task::spawn_blocking(outage).await.unwrap();
    hosts.write("");
    relay.cut();
    device.says("event: disconnected");
    for _ in 0..3 {
        let failure = device.says("event: failed: ");
        assert!(failure.contains(&format!("cannot resolve {NAME}")), "{failure}");
    }
    assert_eq!(relay.connections(), 1, "there was nowhere to connect to");
    let healed = std::time::Instant::now();
    hosts.write(&known);
    device.says("event: connected");
    let recovery = healed.elapsed();
    writeln!(device.process.stdin.take().unwrap(), "enough").unwrap();
    let published = device.says("published ").parse().unwrap();
    let received: Vec<usize> = recording.messages().iter().map(|one| number(&one.payload)).collect();
    report("name that cannot be resolved (MQTT 5)", published, &received, Some(recovery));
}

/// Publishes and tells of its events until it is told that it is enough.
async fn device(port: u16) {
    let [ca_file, cert_file, key_file] = FILES.map(|name| env::var(name).unwrap());
    let identity = Identity::from_pem_files(Path::new(&cert_file), Path::new(&key_file)).unwrap();
    let endpoint = Endpoint::parse(NAME).unwrap().with_port(port);
    let options =
        ClientOptions::new(endpoint, Auth::MutualTls(identity), Roots::from_file(&ca_file), "test-1")
            .unwrap();
    let mut options = quick(options, MqttVersion::V5);
    options.reconnect_minimum = Duration::from_millis(50);
    options.reconnect_maximum = Duration::from_millis(200);
    let (client, mut events) = connect(options).await;
    let enough = Arc::<AtomicBool>::default();
    thread::spawn({
        let enough = Arc::clone(&enough);
        move || {
            // The end of the input is as good as the word.
            let _ = io::stdin().read_line(&mut String::new());
            enough.store(true, Ordering::Relaxed);
        }
    });
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::Connected { .. } => println!("event: connected"),
                Event::Disconnected { error } => println!("event: disconnected: {error}"),
                Event::ConnectionFailed { error } => println!("event: failed: {error}"),
                _ => {}
            }
        }
    });
    let published = publish(client.clone(), Arc::default(), enough).await.unwrap();
    println!("published {published}");
    client.disconnect().await.unwrap();
}
