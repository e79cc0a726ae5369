use std::io::Read;
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
    /// No command of a test takes longer, so that a hang is a failure with a name.
    const LIMIT: Duration = Duration::from_secs(120);

    /// Runs `command` to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is still running after two minutes.
    pub fn of(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self::of_child(child, &format!("{command:?}"))
    }

    /// Waits for `child`, whose outputs are piped, to end.
    ///
    /// # Panics
    ///
    /// When it is still running after two minutes.
    pub fn of_child(mut child: Child, name: &str) -> Self {
        let (done, ended) = mpsc::channel();
        let stdout = drain(child.stdout.take(), done.clone());
        let stderr = drain(child.stderr.take(), done);
        // Both pipes are closed when the process is gone: the channel then has no sender left.
        if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(Self::LIMIT) {
            child.kill().expect("a child that has not been waited for can be killed");
            panic!("{name} was still running after {:?}", Self::LIMIT);
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
