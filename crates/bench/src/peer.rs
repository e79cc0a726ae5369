//! A peer's process: started, told what to do, heard, and ended.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use testkit::Mosquitto;

/// How long a peer may take to answer. The slowest needs seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a peer may take to end.
const END: Duration = Duration::from_secs(10);

/// How to start a peer.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Part of the client ID.
    slug: &'static str,
    command: Vec<PathBuf>,
    transport: Transport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    MutualTls,
    Plain,
}

impl Program {
    pub(crate) fn new(name: &'static str, slug: &'static str, command: Vec<PathBuf>) -> Self {
        Self { name, slug, command, transport: Transport::MutualTls }
    }

    /// A client without TLS, and without a reconnection that is of use.
    pub(crate) fn plain(name: &'static str, slug: &'static str, command: Vec<PathBuf>) -> Self {
        Self { name, slug, command, transport: Transport::Plain }
    }

    pub(crate) fn reconnects(&self) -> bool {
        self.transport == Transport::MutualTls
    }

    pub(crate) fn start(&self, broker: &Mosquitto) -> Result<Peer> {
        let (program, words) = self.command.split_first().context("a command has a program")?;
        let mut command = Command::new(program);
        command.args(words).args(["--host", "localhost", "--client-id", &format!("bench-{}", self.slug)]);
        let file = |name: &str| broker.file(name);
        match self.transport {
            Transport::MutualTls => {
                command.args(["--port", &broker.mqtt_port().to_string()]);
                command.arg("--ca-file").arg(file("ca.pem"));
                command.arg("--cert").arg(file("client.pem")).arg("--key").arg(file("client.key"));
            }
            Transport::Plain => {
                command.args(["--port", &broker.plain_port().to_string()]);
            }
        }
        // What it has to say about a failure goes to our own stderr.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let stdin = child.stdin.take();
        let lines = lines(child.stdout.take().context("a peer has a stdout")?);
        Ok(Peer { name: self.name, child, stdin, lines })
    }
}

/// A line of a peer's, and when it came.
type Line = (Instant, String);

/// A running peer; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
}

impl Peer {
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Says what to do; the answer is for [`next`](Self::next).
    pub(crate) fn tell(&mut self, command: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("a peer has a stdin")?;
        writeln!(stdin, "{command}").with_context(|| format!("{} has ended before `{command}`", self.name))
    }

    /// The next line of the answer, and when it came.
    pub(crate) fn next(&self) -> Result<(Instant, Value)> {
        let (at, line) = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} did not answer in {} s", self.name, PATIENCE.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => bail!("{} has failed; its own words are above", self.name),
        };
        let value =
            serde_json::from_str(&line).with_context(|| format!("{} gave no JSON: {line}", self.name))?;
        Ok((at, value))
    }

    /// Says what to do and waits for the one line of the answer.
    pub(crate) fn ask(&mut self, command: &str) -> Result<Value> {
        self.tell(command)?;
        Ok(self.next()?.1)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stdin.take();
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Nothing is left to do about a process that cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on a thread of its own, so that each line's time is its own.
fn lines(stdout: ChildStdout) -> Receiver<Line> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    receiver
}
