use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What a child process did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Outcome {
    /// No program of a test takes longer, so that a hang is a failure with a name.
    const LIMIT: Duration = Duration::from_secs(120);

    /// The same for a command that may have to compile the workspace first, and to wait for another cargo.
    pub const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

    /// Runs `command` to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is still running after two minutes.
    pub fn of(command: &mut Command) -> Self {
        Self::of_within(command, Self::LIMIT)
    }

    /// Runs `command` to its end, with `input` as its standard input.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is still running after two minutes.
    pub fn of_input(command: &mut Command, input: impl Into<Vec<u8>>) -> Self {
        Self::of_input_within(command, input, Self::LIMIT)
    }

    /// As [`of_input`](Self::of_input), to an end within `limit`.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is still running after `limit`.
    pub fn of_input_within(command: &mut Command, input: impl Into<Vec<u8>>, limit: Duration) -> Self {
        let mut child = start_with(command, Stdio::piped());
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.into();
        // Beside the reading of its output, which it may wait for. It may have ended without reading: its outcome tells.
        thread::spawn(move || stdin.write_all(&input));
        Self::of_child_within(child, &format!("{command:?}"), limit)
    }

    /// Runs `command` to its end, which has to come within `limit`.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is still running after `limit`: it and what it has started are killed then.
    pub fn of_within(command: &mut Command, limit: Duration) -> Self {
        let child = start(command);
        Self::of_child_within(child, &format!("{command:?}"), limit)
    }

    /// Waits for `child`, whose outputs are piped, to end.
    ///
    /// # Panics
    ///
    /// When it is still running after two minutes.
    pub fn of_child(child: Child, name: &str) -> Self {
        Self::of_child_within(child, name, Self::LIMIT)
    }

    fn of_child_within(mut child: Child, name: &str, limit: Duration) -> Self {
        let (done, ended) = mpsc::channel();
        let stdout = drain(child.stdout.take(), done.clone());
        let stderr = drain(child.stderr.take(), done);
        // Both pipes are closed when the process is gone: the channel then has no sender left.
        if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(limit) {
            kill_group(&mut child);
            panic!("{name} was still running after {limit:?}");
        }
        let status = child.wait().expect("a child can be waited for once");
        let text = |reader: thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&reader.join().expect("the reader does not panic")).into_owned()
        };
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Requires success and nothing on stderr but logs.
    ///
    /// # Panics
    ///
    /// When the exit code is not 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "should have succeeded: {self:#?}");
        self
    }

    /// Requires that stderr is one warning, which has all `words`.
    ///
    /// # Panics
    ///
    /// When it is not so.
    #[track_caller]
    pub fn warned_once(&self, words: &[&str]) {
        assert_eq!(self.stderr.lines().count(), 1, "one warning: {self:#?}");
        for word in words.iter().chain(&["WARN"]) {
            assert!(self.stderr.contains(word), "no {word:?} on stderr: {self:#?}");
        }
    }

    /// Requires a failure with `code`, one message for people that has all `words`, and no panic.
    ///
    /// # Panics
    ///
    /// When any of this is not so.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "should have failed with {code}: {self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} on stderr: {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        let messages = self.stderr.lines().filter(|line| line.to_lowercase().starts_with("error:")).count();
        assert_eq!(messages, 1, "one message: {self:#?}");
        self
    }
}

/// Starts `command` with its outputs piped, in a process group of its own.
pub(crate) fn start(command: &mut Command) -> Child {
    start_with(command, Stdio::null())
}

/// As [`start`], with this standard input.
pub(crate) fn start_with(command: &mut Command, stdin: Stdio) -> Child {
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Kills `child` and its group: to kill cargo alone would leave the compilers it has started.
pub(crate) fn kill_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    // It has no group of its own when something else than `start` started it.
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    child.kill().expect("a child that has not been waited for can be killed");
    let _ = child.wait();
}

fn drain(pipe: Option<impl Read + Send + 'static>, done: mpsc::Sender<()>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read before an error is worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        drop(done);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn a_hang_ends_with_everything_that_was_started() {
        let mut command = Command::new("sh");
        // What is in the background holds the pipes as well.
        command.args(["-c", "sleep 600 & echo started; wait"]);
        let mut child = start(&mut command);
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says so");
        let hang = thread::spawn(|| Outcome::of_child_within(child, "sh", Duration::from_millis(10)));
        assert!(hang.join().is_err(), "a hang is a panic");
        // The end of the output is that of the last process that held it.
        assert_eq!(stdout.read_line(&mut line).expect("a pipe can be read"), 0);
    }
}
