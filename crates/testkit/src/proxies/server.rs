use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use tempfile::TempDir;

use crate::free_port::free_port;

/// How long a server may take to be ready, and to log what it did. Both take much less unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many ports are tried.
const ATTEMPTS: usize = 10;

/// How long a server has to tidy up when it is told to end.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the servers say, each in its own words, when their port is not free.
const PORT_TAKEN: [&str; 3] =
    ["Address already in use", "Could not create listening sockets", "Unable to open HTTP Socket"];

/// A running proxy. On drop it ends, with all that it has started.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    _folder: TempDir,
}

/// How a server shows that it accepts connections.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ready {
    /// By a line of its log with these words.
    Logs(&'static str),
    /// Only by accepting one.
    Accepts,
}

impl Server {
    /// Starts `program`; `configure` gets its command, a folder for its files and the port to listen on.
    pub(super) fn start(program: &str, ready: Ready, configure: impl Fn(&mut Command, &Path, u16)) -> Self {
        // None of them can be asked for a free port, so one that was free a moment ago is tried, and another if somebody
        // was faster.
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let port = free_port();
            let mut command = Command::new(program);
            command.env_clear().env("PATH", path()).current_dir(folder.path());
            configure(&mut command, folder.path(), port);
            let process = Process::start(&mut command);
            if process.is_ready(ready, port) {
                return Server { process, port, _folder: folder };
            }
            let said = process.log.text();
            assert!(PORT_TAKEN.iter().any(|words| said.contains(words)), "{program} ended: {said}");
        }
        panic!("{program} found no free port in {ATTEMPTS} attempts");
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// 127.0.0.1 and the port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log.text()
    }

    /// Waits until its log has these words: it may be a moment late.
    ///
    /// # Panics
    ///
    /// When they do not come.
    #[track_caller]
    pub fn logs(&self, words: &str) {
        assert_eq!(
            self.process.log.wait_for(words, PATIENCE),
            Waited::Logged,
            "no {words:?} in: {}",
            self.log()
        );
    }
}

/// The first of these names of a program that is installed, or else the first.
pub(super) fn installed<'a>(names: &[&'a str]) -> &'a str {
    let there = |name: &&&str| env::split_paths(&path()).any(|folder| folder.join(name).is_file());
    names.iter().find(there).unwrap_or(&names[0])
}

/// Debian keeps some servers where only root's `PATH` leads.
fn path() -> String {
    env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
}

/// A child in a process group of its own, which ends with it.
#[derive(Debug)]
struct Process {
    child: Child,
    log: Arc<Log>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("{command:?}: not installed: run `cargo xtask setup --tests` first")
            }
            Err(error) => panic!("cannot start {command:?}: {error}"),
        };
        let log = Arc::<Log>::default();
        Log::follow(&log, child.stdout.take().expect("stdout is piped"));
        Log::follow(&log, child.stderr.take().expect("stderr is piped"));
        Process { child, log }
    }

    /// False when it has ended instead.
    fn is_ready(&self, ready: Ready, port: u16) -> bool {
        match ready {
            Ready::Logs(words) => match self.log.wait_for(words, PATIENCE) {
                Waited::Logged => true,
                Waited::Ended => false,
                Waited::TooLong => panic!("not ready after {PATIENCE:?}: {}", self.log.text()),
            },
            Ready::Accepts => {
                let start = Instant::now();
                while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                    if self.log.wait_for_end(Duration::from_millis(5)) == Waited::Ended {
                        return false;
                    }
                    assert!(start.elapsed() < PATIENCE, "not ready after {PATIENCE:?}");
                }
                true
            }
        }
    }

    /// To the whole group.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        // It may have ended by itself.
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Squid removes its shared memory only when it is asked to end.
        self.signal("-TERM");
        self.log.wait_for_end(FAREWELL);
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}

/// What a process says, as it comes.
#[derive(Debug, Default)]
struct Log {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    text: String,
    /// How many outputs are open.
    outputs: usize,
}

/// What ended a wait for words.
#[derive(Debug, PartialEq, Eq)]
enum Waited {
    Logged,
    /// The process is gone, and with it all that could still log.
    Ended,
    TooLong,
}

impl Log {
    fn follow(log: &Arc<Log>, output: impl Read + Send + 'static) {
        log.said.lock().expect("no reader panics").outputs += 1;
        let log = Arc::clone(log);
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            // An output that cannot be read any more is at its end.
            while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let mut said = log.said.lock().expect("no reader panics");
                said.text.push_str(&String::from_utf8_lossy(&line));
                log.changed.notify_all();
                line.clear();
            }
            log.said.lock().expect("no reader panics").outputs -= 1;
            log.changed.notify_all();
        });
    }

    fn text(&self) -> String {
        self.said.lock().expect("no reader panics").text.clone()
    }

    fn wait_for(&self, words: &str, limit: Duration) -> Waited {
        self.wait(limit, |text| text.contains(words))
    }

    fn wait_for_end(&self, limit: Duration) -> Waited {
        self.wait(limit, |_| false)
    }

    fn wait(&self, limit: Duration, enough: impl Fn(&str) -> bool) -> Waited {
        let said = self.said.lock().expect("no reader panics");
        let goes_on = |said: &mut Said| !enough(&said.text) && said.outputs > 0;
        let (said, waited) = self.changed.wait_timeout_while(said, limit, goes_on).expect("no reader panics");
        if enough(&said.text) {
            Waited::Logged
        } else if waited.timed_out() {
            Waited::TooLong
        } else {
            Waited::Ended
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A shell that says `words` and stays.
    fn shell(ready: Ready, words: impl Fn() -> String) -> Server {
        Server::start("sh", ready, |command, _, _| {
            command.args(["-c", &format!("{}; exec sleep 600", words())]);
        })
    }

    #[test]
    fn another_port_is_tried_when_one_is_taken() {
        let ports = Cell::new(0);
        let server = shell(Ready::Logs("ready\n"), || {
            ports.set(ports.get() + 1);
            if ports.get() < 3 { "echo Address already in use >&2; exit 1" } else { "echo ready" }.to_owned()
        });
        assert_eq!((ports.get(), server.log().as_str()), (3, "ready\n"));
        server.logs("ready");
    }

    #[test]
    #[should_panic(expected = "sh ended: no such option")]
    fn any_other_end_is_told_of() {
        let _ = shell(Ready::Accepts, || "echo no such option; exit 1".to_owned());
    }

    #[test]
    fn what_does_not_end_when_asked_is_killed() {
        let server =
            shell(Ready::Logs("ready"), || "trap '' TERM; (sleep 600) & echo ready; wait".to_owned());
        let log = Arc::clone(&server.process.log);
        drop(server);
        assert_eq!(log.wait_for_end(PATIENCE), Waited::Ended, "both have closed their outputs");
    }
}
