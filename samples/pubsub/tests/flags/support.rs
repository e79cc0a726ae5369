//! What the tests of this sample share.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Principal, Sandbox};
use testkit::{Outcome, Sample};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_pubsub");

/// The sample with all that it needs to connect.
pub(crate) fn pubsub(sandbox: &Sandbox) -> Sample {
    Sample::new(BINARY).mqtt(sandbox).device(sandbox.device())
}

/// The sample with no pause between messages.
pub(crate) fn quick(sandbox: &Sandbox) -> Sample {
    pubsub(sandbox).args(["--interval", "0"])
}

/// A sample that publishes what it reads.
pub(crate) fn lines(sandbox: &Sandbox) -> Sample {
    pubsub(sandbox).args(["--message", "-"])
}

/// Lets the device do whatever it likes.
pub(crate) fn allow_all(sandbox: &Sandbox) {
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
    sandbox.set_policies(Principal::Device, &[policy.to_owned()]).unwrap();
}

/// A sample that goes on publishing, and has lost its broker: at least one message waits, and each 50 ms another takes
/// its place.
pub(crate) fn waiting(sandbox: &mut Sandbox, shutdown_timeout: &str) -> Running {
    let queue = ["--queue-messages", "1", "--when-full", "drop-oldest"];
    let sample = pubsub(sandbox).args(["--count", "0", "--interval", "0.05"]).args(queue);
    let mut running = Running::new(sample.args(["--shutdown-timeout", shutdown_timeout]).spawn());
    running.until("Received on");
    sandbox.stop();
    running.hears("dropped the oldest message");
    running
}

/// A sample that runs, with its outputs line by line.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Receiver<String>,
    /// What was read of each.
    said: String,
    heard: String,
}

impl Running {
    pub(crate) fn new(mut child: Child) -> Self {
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, stderr) = mpsc::channel();
        // Read on, so that the sample never waits for a reader.
        thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, stdout, stderr, said: String::new(), heard: String::new() }
    }

    /// Reads stdout until a line begins with `start`; the line.
    pub(crate) fn until(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "ended before {start:?}: {}",
                self.log()
            );
            self.said.push_str(&line);
            if line.starts_with(start) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Reads stderr until a line has `words`.
    pub(crate) fn hears(&mut self, words: &str) {
        loop {
            let line = self.stderr.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no {words:?} on stderr: {}", self.heard));
            self.heard.push_str(&line);
            self.heard.push('\n');
            if line.contains(words) {
                return;
            }
        }
    }

    /// Reads stderr until no line has had `words` for this long.
    pub(crate) fn hears_no_more(&mut self, words: &str, quiet: Duration) {
        let deadline = Instant::now() + LIMIT;
        let mut end = Instant::now() + quiet;
        while let Ok(line) = self.stderr.recv_timeout(end.saturating_duration_since(Instant::now())) {
            assert!(Instant::now() < deadline, "{words:?} on stderr goes on: {}", self.heard);
            self.heard.push_str(&line);
            self.heard.push('\n');
            if line.contains(words) {
                end = Instant::now() + quiet;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        Outcome::of(Command::new("kill").args([name, &self.child.id().to_string()])).succeeded();
    }

    /// Waits for the end.
    pub(crate) fn outcome(mut self) -> Outcome {
        drop(self.child.stdin.take());
        let watchdog = Watchdog::of(&self.child);
        let mut stdout = std::mem::take(&mut self.said);
        self.stdout.read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        drop(watchdog);
        let stderr = self.log();
        Outcome { code, stdout, stderr }
    }

    fn log(&mut self) -> String {
        for line in self.stderr.iter() {
            self.heard.push_str(&line);
            self.heard.push('\n');
        }
        self.heard.clone()
    }
}

const LIMIT: Duration = Duration::from_secs(60);

/// Kills a child that takes too long; its end is the panic of whoever waits for it.
struct Watchdog {
    /// Gone when all is well.
    _done: mpsc::Sender<()>,
}

impl Watchdog {
    fn of(child: &Child) -> Self {
        let id = child.id().to_string();
        let (sender, done) = mpsc::channel::<()>();
        thread::spawn(move || {
            if done.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("the sample was still running after {LIMIT:?}");
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        Self { _done: sender }
    }
}
