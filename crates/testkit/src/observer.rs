use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use sandbox::Sandbox;
use serde_json::Value;

use crate::peer::python_interpreter;
use crate::workspace;

/// The official Python client as a subscriber: what another device sees of a message. Ended on drop.
#[derive(Debug)]
pub struct Observer {
    child: Child,
    lines: Receiver<Value>,
    /// Those that came while it subscribed.
    early: RefCell<VecDeque<Value>>,
}

impl Observer {
    /// How long a step of it, or a message, may take.
    const LIMIT: Duration = Duration::from_secs(30);

    /// Subscribes to `filter` over MQTT 5, as the sandbox's device with this client ID, and waits until that is done.
    ///
    /// # Panics
    ///
    /// When the client is not installed, or cannot subscribe.
    #[must_use]
    pub fn subscribe(sandbox: &Sandbox, client_id: &str, filter: &str) -> Self {
        let mut command = Command::new(python_interpreter());
        // Isolated from the user's packages and settings.
        command.env_clear().arg("-I").arg(workspace().join("crates/testkit/python/observer.py"));
        command.args(["--endpoint", sandbox.endpoint(), "--port", &sandbox.mqtt_port().to_string()]);
        command.arg("--ca-file").arg(sandbox.ca_file());
        command.arg("--cert").arg(&sandbox.device().cert_file);
        command.arg("--key").arg(&sandbox.device().key_file);
        command.args(["--client-id", client_id, "--topic", filter]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python can be started");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("the observer prints lines of JSON");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut observer = Self { child, lines, early: RefCell::default() };
        // What the broker had kept may come before its acknowledgement.
        let mut early = VecDeque::new();
        loop {
            let event = observer.next();
            if event["event"] == "subscribed" {
                break;
            }
            early.push_back(event);
        }
        observer.early = early.into();
        observer
    }

    /// The next message: topic, payload, QoS, retain and properties, under their names in snake case.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    #[must_use]
    pub fn next(&self) -> Value {
        let early = self.early.borrow_mut().pop_front();
        early.unwrap_or_else(|| {
            self.lines.recv_timeout(Self::LIMIT).expect("the observer has something to say")
        })
    }

    /// The messages that have arrived and were not asked for.
    #[must_use]
    pub fn rest(&self) -> Vec<Value> {
        let early = self.early.take();
        early.into_iter().chain(self.lines.try_iter()).collect()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
