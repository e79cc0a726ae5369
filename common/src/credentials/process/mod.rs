//! `credential_process`: the command of a profile that prints credentials
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>).
//!
//! The SDK's own provider leaves the command running when an attempt is given up, one process more for each attempt.

mod output;
#[cfg(unix)]
mod tree;

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use aws_credential_types::Credentials;
use iot_transport::text;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use self::output::InvalidOutput;

/// The longest output that is read, in bytes. Credentials take a few thousand.
const MAX_OUTPUT: u64 = 64 * 1024;
/// The end of the error output that a message shows, in bytes.
const STDERR_TAIL: usize = 1024;
/// The beginning of each line that the shell itself writes to the error output.
const SHELL: &[u8] = b"sh:";
/// Time for the rest of the output once the command has ended. A process that it has left in the background, such
/// as an agent, may hold the outputs open for good.
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// The command of a profile.
#[derive(Debug)]
pub(super) struct CredentialProcess {
    pub(super) profile: String,
    pub(super) command: String,
}

/// A `credential_process` gave no credentials. The message shows nothing of its standard output, and nothing that the
/// shell says, which may repeat the command.
#[derive(Debug, thiserror::Error)]
#[error("credential_process of profile \"{profile}\" {problem}")]
pub(crate) struct ProcessFailed {
    profile: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be run: {0}")]
    Run(io::Error),
    /// With the end of what it wrote to its standard error, without the shell's own messages.
    #[error("failed ({0}){1}")]
    Failed(ExitStatus, String),
    #[error("printed more than {} KiB", MAX_OUTPUT / 1024)]
    TooLong,
    #[error("printed {0}")]
    Output(InvalidOutput),
}

impl CredentialProcess {
    /// Runs the command. Dropping the future kills it, with the processes that it has started.
    pub(super) async fn run(&self) -> Result<Credentials, ProcessFailed> {
        // The command may hold a secret.
        log::debug!("running credential_process of profile \"{}\"", self.profile);
        self.output().await.map_err(|problem| ProcessFailed { profile: self.profile.clone(), problem })
    }

    async fn output(&self) -> Result<Credentials, Problem> {
        let mut running = Running::start(&self.command).map_err(Problem::Run)?;
        let (stdout, stderr) = (running.0.stdout.take(), running.0.stderr.take());
        let (mut printed, mut complaint) = (Vec::new(), Tail::default());
        let status = {
            let mut reading =
                pin!(async { tokio::try_join!(all(stdout, &mut printed), complaint.read(stderr)) });
            tokio::select! {
                read = &mut reading => {
                    read?;
                    running.0.wait().await
                }
                status = running.0.wait() => {
                    if let Ok(read) = timeout(REST_TIMEOUT, &mut reading).await {
                        read?;
                    }
                    status
                }
            }
            .map_err(Problem::Run)?
        };
        if !status.success() {
            return Err(Problem::Failed(status, complaint.into_words()));
        }
        output::parse(&printed).map_err(Problem::Output)
    }
}

/// A command that is killed unless it has ended by itself.
///
/// It stays in the process group of this program: it may ask on the terminal for a one-time password, which a group of
/// its own could not, and the terminal's Ctrl-C reaches it even where this program does not handle the signal.
#[derive(Debug)]
struct Running(Child);

impl Running {
    fn start(command: &str) -> io::Result<Self> {
        // The messages that a sample reads from a pipe are not the command's.
        let stdin = if io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() };
        shell(command)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map(Self)
    }
}

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = self.0.id() {
            log::debug!("killing credential_process {pid}, which has not ended");
            tree::kill(pid);
        }
    }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

/// `cmd.exe` removes the outer quotes, and understands none of the escapes that an ordinary argument would get.
#[cfg(windows)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd.exe");
    shell.arg("/C").raw_arg(format!("\"{command}\""));
    shell
}

async fn all(output: Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) -> Result<(), Problem> {
    if let Some(output) = output {
        output.take(MAX_OUTPUT + 1).read_to_end(bytes).await.map_err(Problem::Run)?;
    }
    if bytes.len() as u64 > MAX_OUTPUT { Err(Problem::TooLong) } else { Ok(()) }
}

/// The end of the error output.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
    /// The line that `bytes` begin within is the shell's.
    begins_in_shells: bool,
}

impl Tail {
    /// Reads all, so that the command never waits for a reader.
    async fn read(&mut self, output: Option<impl AsyncRead + Unpin>) -> Result<(), Problem> {
        let Some(mut output) = output else { return Ok(()) };
        let mut chunk = [0; STDERR_TAIL];
        loop {
            let length = output.read(&mut chunk).await.map_err(Problem::Run)?;
            if length == 0 {
                return Ok(());
            }
            self.bytes.extend_from_slice(&chunk[..length]);
            self.cut();
        }
    }

    fn cut(&mut self) {
        let Some(excess) = self.bytes.len().checked_sub(STDERR_TAIL).filter(|&excess| excess > 0) else {
            return;
        };
        let last_line = self.bytes[..excess].iter().rposition(|&byte| byte == b'\n').map(|end| end + 1);
        if let Some(start) = last_line.or((!self.is_cut).then_some(0)) {
            self.begins_in_shells = self.bytes[start..].starts_with(SHELL);
        }
        self.bytes.drain(..excess);
        self.is_cut = true;
    }

    /// On one line, as the end of a message; nothing where there is none.
    fn into_words(self) -> String {
        // cmd.exe's messages have no beginning that tells them from those of the command.
        if cfg!(windows) {
            return String::new();
        }
        let lines = self.bytes.split(|&byte| byte == b'\n').enumerate();
        let is_shells = |index, line: &[u8]| line.starts_with(SHELL) || index == 0 && self.begins_in_shells;
        let (shells, own): (Vec<_>, Vec<_>) = lines.partition(|&(index, line)| is_shells(index, line));
        let own = own.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join(&b'\n');
        let text = String::from_utf8_lossy(&own);
        let mut words = text::words(&text).collect::<Vec<_>>().join(" ");
        if words.is_empty() && !shells.is_empty() {
            "the shell's message is not shown, as it may repeat the command".clone_into(&mut words);
        }
        match (words.is_empty(), self.is_cut) {
            (true, _) => words,
            (false, true) => format!(": …{words}"),
            (false, false) => format!(": {words}"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
