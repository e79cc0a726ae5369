use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sandbox::{Credentials, Device, Sandbox};
use tempfile::TempDir;

#[cfg(target_os = "linux")]
use crate::capture::Capture;
use crate::outcome::{self, Outcome};

/// A sample's binary, to be run with flags, an environment of its own and an empty home.
#[derive(Debug)]
pub struct Sample {
    command: Command,
    /// Removed with `self`.
    home: TempDir,
}

impl Sample {
    /// `binary` is `env!("CARGO_BIN_EXE_<name>")`.
    ///
    /// # Panics
    ///
    /// When no home folder can be made.
    pub fn new(binary: impl AsRef<OsStr>) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new(binary);
        // Whoever runs the tests has AWS_*, *_proxy and RUST_* variables of their own.
        command.env_clear().env("HOME", home.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(path) = env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { command, home }
    }

    /// As [`new`](Self::new), with a standard output that takes nothing, like a file on a disk that is full.
    ///
    /// # Panics
    ///
    /// When no home folder can be made.
    #[must_use]
    pub fn on_full_disk(binary: &str) -> Self {
        Self::new("sh").args(["-c", r#"exec "$0" "$@" >/dev/full"#, binary])
    }

    /// Adds flags.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable that every sample is given.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// The sample's home folder, for its `.aws` files.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// `--endpoint`, `--port` and `--ca-file` of the sandbox's mqtt port.
    #[must_use]
    pub fn mqtt(self, sandbox: &Sandbox) -> Self {
        self.to_port(sandbox, sandbox.mqtt_port())
    }

    /// `--endpoint`, `--port` and `--ca-file` of the sandbox's https port.
    #[must_use]
    pub fn https(self, sandbox: &Sandbox) -> Self {
        self.to_port(sandbox, sandbox.https_port())
    }

    /// `--cert` and `--key`.
    #[must_use]
    pub fn device(self, device: &Device) -> Self {
        self.args([OsStr::new("--cert"), device.cert_file.as_os_str()])
            .args([OsStr::new("--key"), device.key_file.as_os_str()])
    }

    /// AWS credentials, in the environment.
    #[must_use]
    pub fn credentials(self, credentials: &Credentials) -> Self {
        self.env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
            .env("AWS_SESSION_TOKEN", &credentials.session_token)
    }

    /// Runs the sample to its end.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        Outcome::of(&mut self.command)
    }

    /// Runs the sample to its end, and notes whom it contacts.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn run_captured(self) -> (Outcome, Capture) {
        Capture::of(&self.command)
    }

    /// Runs the sample on a terminal, where it has to ask for something with `prompt`, and gets `answer`, which it must
    /// not show there.
    ///
    /// # Panics
    ///
    /// When it shows the answer, ends without having asked, or leaves the terminal otherwise than it was.
    #[must_use]
    pub fn answer(self, prompt: &str, answer: &str) -> Outcome {
        let mut command = self.under("terminal.py", &[prompt]);
        let outcome = Outcome::of_input(&mut command, format!("{answer}\n"));
        assert_ne!(outcome.code, Some(70), "the answer was shown: {outcome:#?}");
        assert_ne!(outcome.code, Some(71), "{prompt:?} was not asked: {outcome:#?}");
        assert_ne!(outcome.code, Some(72), "the terminal was left changed: {outcome:#?}");
        outcome
    }

    /// Runs the sample with a terminal as its stderr: what is [`Outcome::stderr`] then is what the terminal got.
    #[must_use]
    pub fn run_with_terminal(self) -> Outcome {
        Outcome::of(&mut self.under("stderr_terminal.py", &[]))
    }

    /// Runs the sample to its end, with `input` as its standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Outcome {
        Outcome::of_input(&mut self.command, input)
    }

    /// The sample as a child of a script of ours.
    fn under(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script)).args(arguments);
        command.arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// As [`spawn`](Self::spawn), with its standard input piped, too.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn_with_input(mut self) -> Child {
        outcome::start_with(&mut self.command, Stdio::piped())
    }

    /// Starts the sample with its outputs piped; [`Outcome::of_child`] waits for it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(mut self) -> Child {
        outcome::start(&mut self.command)
    }

    /// `--endpoint`, `--port` and `--ca-file` of the sandbox, or of what stands before it on another port.
    #[must_use]
    pub fn to_port(self, sandbox: &Sandbox, port: u16) -> Self {
        self.args(["--endpoint", sandbox.endpoint(), "--port", &port.to_string()])
            .args([OsStr::new("--ca-file"), sandbox.ca_file().as_os_str()])
    }
}

/// The workspace's root.
#[must_use]
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}
