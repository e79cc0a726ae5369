//! A sandbox of one's own: started for one task, on free ports, and stopped with it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, process, thread};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::hint;
use crate::workspace::Workspace;

/// It makes a CA and a few keys; seconds at most, even on a busy machine.
const START: Duration = Duration::from_secs(60);
/// How long a clean end may take before it is killed.
const STOP: Duration = Duration::from_secs(5);

/// The contents of `sandbox.json`.
#[derive(Debug)]
pub(crate) struct State(Value);

impl State {
    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    /// Adds what the sandbox does not have.
    pub(crate) fn insert(&mut self, name: &str, value: Value) {
        self.0[name] = value;
    }

    /// The value at a JSON pointer of `sandbox.json`.
    pub(crate) fn value(&self, pointer: &str) -> Result<String> {
        sample_manifest::value(&self.0, &pointer.trim_start_matches('/').replace('/', "."))
    }
}

impl From<Value> for State {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// A running sandbox; dropping it stops it and removes its files.
pub(crate) struct PrivateSandbox {
    state: State,
    child: Child,
    /// The sandbox runs until this closes, so it ends even when this process is killed. `None` in the end.
    stdin: Option<ChildStdin>,
    /// After the process, so that it is removed last.
    _scratch: Scratch,
}

impl PrivateSandbox {
    /// Starts `program` and returns when it takes connections.
    pub(crate) fn start(workspace: &Workspace, program: &Path) -> Result<Self> {
        let scratch = Scratch::new(&workspace.scratch("xtask"))?;
        let state_dir = scratch.folder.join("state");
        let log = scratch.log();
        let log_file = scratch.locked_log.try_clone().context("cannot share the sandbox's log")?;

        let mut command = Command::new(program);
        command.arg("--state-dir").arg(&state_dir).arg("--policies-dir").arg(workspace.policies());
        command.args(["--mqtt-port", "0", "--https-port", "0", "--until-stdin-closes"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file);
        detach_from_terminal(&mut command);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("the sandbox has no stdout")?;

        let mut sandbox = Self { state: State(Value::Null), child, stdin, _scratch: scratch };
        let file = state_dir.join("sandbox.json");
        let lines = read_lines(stdout);
        if let Err(reason) = wait_until_ready(&lines, &file) {
            let log = fs::read_to_string(&log).unwrap_or_default();
            let log = log.trim_end();
            return Err(hint::error(
                format!("the sandbox did not start: {reason}{}{log}", if log.is_empty() { "" } else { "\n" }),
                "run `cargo xtask sandbox` to see it start on its own",
            ));
        }
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        sandbox.state = State(serde_json::from_slice(&text).context("sandbox.json is not JSON")?);
        Ok(sandbox)
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Lets the sandbox run as long as this process does, whatever it becomes: the pipe whose end the sandbox waits for
    /// stays open over `exec`. Where there is no `exec` this process waits for the sample, and holds the pipe meanwhile.
    pub(crate) fn outlast_exec(&self) -> Result<()> {
        #[cfg(unix)]
        if let Some(stdin) = &self.stdin {
            // Files that the standard library opens close on exec.
            rustix::io::fcntl_setfd(stdin, rustix::io::FdFlags::empty())
                .context("cannot keep the sandbox's pipe open")?;
        }
        Ok(())
    }
}

impl Drop for PrivateSandbox {
    fn drop(&mut self) {
        self.stdin.take();
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // Nothing is left to do about a process that cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sandbox prints once it is ready, and has written its file by then.
fn wait_until_ready(lines: &Receiver<String>, file: &Path) -> Result<(), String> {
    let deadline = Instant::now() + START;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(_) if file.is_file() => return Ok(()),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Err(format!("not ready after {} s", START.as_secs())),
            Err(RecvTimeoutError::Disconnected) => return Err("it ended".to_owned()),
        }
    }
}

/// Reads to the end whether or not anyone listens, so that the child never blocks on a full pipe.
fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Ctrl-C is for the sample; the sandbox ends when its stdin closes.
fn detach_from_terminal(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// A folder that goes away with this value, or, should this process be killed or become another, with the next one's
/// start.
struct Scratch {
    folder: PathBuf,
    /// Locked for as long as the folder is in use. The sandbox shares the lock with its stderr, and the system frees
    /// it when both processes are gone.
    locked_log: File,
}

impl Scratch {
    const LOG: &str = "sandbox.log";

    fn new(parent: &Path) -> Result<Self> {
        Self::create(parent).with_context(|| format!("cannot make a folder in {}", parent.display()))
    }

    fn create(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let _turn = turn(parent)?;
        remove_abandoned(parent);
        // Another thread of this process may be here, too, and process IDs come again.
        let mut names = (0_u32..).map(|number| parent.join(format!("{}-{number}", process::id())));
        let folder = names.find(|folder| !folder.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
        fs::create_dir(&folder)?;
        let locked_log = File::create(folder.join(Self::LOG))?;
        locked_log.lock()?;
        Ok(Self { folder, locked_log })
    }

    fn log(&self) -> PathBuf {
        self.folder.join(Self::LOG)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _turn = self.folder.parent().map(turn);
        // What cannot be removed now is tried again by the next start.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until no other start or end, of this process or another, changes which folders there are: without turns one
/// could open the log of a folder, and lock it and remove the folder only when that has been made anew.
fn turn(parent: &Path) -> io::Result<File> {
    let lock = File::create(parent.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Removes the folders whose processes are gone; the caller has its turn.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_abandoned = match File::open(entry.path().join(Scratch::LOG)) {
            Ok(log) => log.try_lock().is_ok(),
            // Its start, or its end, was killed half-way.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_abandoned {
            // What cannot be removed now is tried again by the next start.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::env;

    use super::*;

    #[test]
    fn only_abandoned_folders_are_removed() {
        let parent = parent("abandoned");
        let (abandoned, unfinished) = (parent.join("abandoned"), parent.join("unfinished"));
        fs::create_dir_all(&abandoned).unwrap();
        File::create(abandoned.join(Scratch::LOG)).unwrap();
        fs::create_dir(&unfinished).unwrap();

        let first = Scratch::new(&parent).unwrap();
        assert!(!abandoned.exists());
        assert!(!unfinished.exists(), "without a log");
        let second = Scratch::new(&parent).unwrap();
        assert!(first.folder.exists(), "in use");
        let folder = first.folder.clone();
        drop(first);
        assert!(!folder.exists() && second.folder.exists());
        drop(second);
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn starts_at_the_same_time_have_folders_of_their_own() {
        let parent = parent("same-time");
        // Twice, as those that end make room for those that start.
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let parent = parent.clone();
                thread::spawn(move || {
                    drop(Scratch::new(&parent).unwrap());
                    Scratch::new(&parent).unwrap()
                })
            })
            .collect();
        let scratches: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        let folders: BTreeSet<_> = scratches.iter().map(|scratch| &scratch.folder).collect();
        assert_eq!(folders.len(), 8);
        assert!(scratches.iter().all(|scratch| scratch.log().exists()));
        drop(scratches);
        fs::remove_dir_all(parent).unwrap();
    }

    fn parent(test: &str) -> PathBuf {
        env::temp_dir().join(format!("xtask-scratch-{test}-{}", process::id()))
    }

    #[test]
    fn an_end_before_it_is_ready_is_an_error() {
        let (sender, receiver) = mpsc::channel();
        sender.send("a line".to_owned()).unwrap();
        drop(sender);
        assert_eq!(wait_until_ready(&receiver, Path::new("no/such/file")), Err("it ended".to_owned()));
    }
}
