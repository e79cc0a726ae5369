use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, kill_group};

/// A program that runs, with its outputs line by line. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// The program. Its standard input, if it is piped, is the caller's to take.
    pub child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// What a test sends to a program to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// What a service manager sends: SIGTERM.
    Terminate,
    /// SIGKILL, which leaves a program no time for anything.
    Kill,
}

impl Running {
    /// Nothing that a test waits for takes longer.
    const LIMIT: Duration = Duration::from_secs(60);

    /// `child`'s outputs are piped, and it leads a process group of its own, as [`Sample::spawn`](crate::Sample::spawn)
    /// has it.
    ///
    /// # Panics
    ///
    /// When they are not.
    #[must_use]
    pub fn new(mut child: Child) -> Self {
        // Not read ahead of the test, which may look at the program in the meantime.
        let stdout = Lines::of(child.stdout.take().expect("stdout is piped"), 0);
        // Read on, so that the program never waits for a reader.
        let stderr = Lines::of(child.stderr.take().expect("stderr is piped"), 10_000);
        Self { child, stdout, stderr }
    }

    /// Reads stdout until a line begins with `start`; the line.
    ///
    /// # Panics
    ///
    /// When none comes within a minute, or before the end.
    #[track_caller]
    pub fn until(&mut self, start: &str) -> String {
        match self.stdout.find(Instant::now() + Self::LIMIT, |line| line.starts_with(start)) {
            Ok(line) => line,
            Err(why) => panic!("no {start:?} on stdout ({why}): {self:#?}"),
        }
    }

    /// Reads stderr until a line has `words`.
    ///
    /// # Panics
    ///
    /// When none comes within a minute, or before the end.
    #[track_caller]
    pub fn hears(&mut self, words: &str) {
        if let Err(why) = self.stderr.find(Instant::now() + Self::LIMIT, |line| line.contains(words)) {
            panic!("no {words:?} on stderr ({why}): {self:#?}");
        }
    }

    /// Reads stderr until no line has had `words` for this long.
    ///
    /// # Panics
    ///
    /// When that takes more than a minute.
    #[track_caller]
    pub fn hears_no_more(&mut self, words: &str, quiet: Duration) {
        let deadline = Instant::now() + Self::LIMIT;
        while self.stderr.find(Instant::now() + quiet, |line| line.contains(words)).is_ok() {
            assert!(Instant::now() < deadline, "{words:?} on stderr goes on: {self:#?}");
        }
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// When the program is gone already.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Interrupt => "-INT",
            Signal::Terminate => "-TERM",
            Signal::Kill => "-KILL",
        };
        Outcome::of(Command::new("kill").args([name, &self.child.id().to_string()])).succeeded();
    }

    /// Ends the standard input, if nobody has taken it, and waits for the end of the program.
    ///
    /// # Panics
    ///
    /// When it is still running after a minute.
    #[track_caller]
    pub fn outcome(mut self) -> Outcome {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Self::LIMIT;
        let ends = [&mut self.stdout, &mut self.stderr].map(|lines| lines.find(deadline, |_| false));
        let is_over = ends.iter().all(|end| *end == Err(RecvTimeoutError::Disconnected));
        assert!(is_over, "still running: {self:#?}");
        let code = self.child.wait().expect("a child can be waited for").code();
        let [stdout, stderr] = [&self.stdout, &self.stderr].map(|lines| lines.read.clone());
        Outcome { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            kill_group(&mut self.child);
        }
    }
}

/// A program's output.
#[derive(Debug)]
struct Lines {
    lines: Receiver<Vec<u8>>,
    /// What was taken of it.
    read: String,
}

impl Lines {
    /// At most `ahead` lines are read before they are asked for.
    fn of(pipe: impl Read + Send + 'static, ahead: usize) -> Self {
        let (sender, lines) = mpsc::sync_channel(ahead);
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            loop {
                let mut line = Vec::new();
                // What could be read before an error is worth showing.
                let end = !matches!(pipe.read_until(b'\n', &mut line), Ok(1..));
                if end && line.is_empty() || sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines, read: String::new() }
    }

    /// Reads until a line is wanted; the line without its end.
    fn find(
        &mut self,
        deadline: Instant,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<String, RecvTimeoutError> {
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
            let begin = self.read.len();
            self.read.push_str(&String::from_utf8_lossy(&line));
            if is_wanted(&self.read[begin..]) {
                return Ok(self.read[begin..].trim_end().to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::start;

    fn shell(script: &str) -> Running {
        Running::new(start(Command::new("sh").args(["-c", script])))
    }

    #[test]
    fn what_was_asked_for_is_in_the_outcome_too() {
        let mut running = shell("echo one; echo two >&2; echo three; echo four >&2; exit 3");
        assert_eq!(running.until("th"), "three");
        running.hears("wo");
        let outcome = running.outcome();
        assert_eq!(
            (outcome.code, &*outcome.stdout, &*outcome.stderr),
            (Some(3), "one\nthree\n", "two\nfour\n")
        );
    }

    #[test]
    fn a_signal_arrives() {
        // A shell does not trap a signal that was ignored when it was started, as SIGINT is behind `&`.
        let script = "import signal, sys, time\n\
                      def end(number, _): print(signal.Signals(number).name); sys.exit()\n\
                      for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, end)\n\
                      print('ready', flush=True)\n\
                      while True: time.sleep(60)";
        let start = || Running::new(start(Command::new("python3").args(["-c", script])));
        for (signal, said) in [(Signal::Interrupt, "SIGINT\n"), (Signal::Terminate, "SIGTERM\n")] {
            let mut running = start();
            running.until("ready");
            running.signal(signal);
            assert!(running.outcome().succeeded().stdout.ends_with(said));
        }
        let mut running = start();
        running.until("ready");
        running.signal(Signal::Kill);
        assert_eq!(running.outcome().code, None);
    }

    #[test]
    fn a_test_that_fails_leaves_nothing_behind() {
        // What is in the background holds the pipes as well.
        let mut running = shell("sleep 600 & echo started; wait");
        running.until("started");
        let mut stdout = std::mem::replace(&mut running.stdout, Lines::of(std::io::empty(), 0));
        drop(running);
        // The end of the output is that of the last process that held it.
        let end = stdout.find(Instant::now() + Running::LIMIT, |_| true);
        assert_eq!(end, Err(RecvTimeoutError::Disconnected));
    }
}
