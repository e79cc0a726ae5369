use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use iot_client::{Auth, ClientOptions, Quotas};
use iot_transport::{Endpoint, Identity, Roots};
use sandbox::Sandbox;

/// What the other process is told, in variables of its environment.
const VARIABLES: [&str; 7] = [
    "TEST_KILLED_HOST",
    "TEST_KILLED_PORT",
    "TEST_KILLED_CA",
    "TEST_KILLED_CERT",
    "TEST_KILLED_KEY",
    "TEST_KILLED_DIRECTORY",
    "TEST_KILLED_ROUND",
];

/// This binary again, in another process, with one test.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What that process is to do.
pub(crate) struct Task {
    pub(crate) options: ClientOptions,
    pub(crate) round: u64,
}

impl Process {
    /// Runs the test `name` of the module `of`. It finds its [`Task`] given.
    pub(crate) fn start(
        sandbox: &Sandbox,
        port: u16,
        directory: &Path,
        round: u64,
        of: &str,
        name: &str,
    ) -> Self {
        let device = sandbox.device();
        let values = [
            sandbox.endpoint().into(),
            port.to_string().into(),
            sandbox.ca_file().as_os_str().to_owned(),
            device.cert_file.as_os_str().to_owned(),
            device.key_file.as_os_str().to_owned(),
            directory.as_os_str().to_owned(),
            round.to_string().into(),
        ];
        let (_, module) = of.split_once("::").unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{name}"), "--nocapture"])
            .envs(VARIABLES.into_iter().zip(values))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line of the form `WORD NUMBER`; `None` once the process is gone. What the test harness prints is passed
    /// over.
    pub(crate) fn told(&mut self) -> Option<(String, u64)> {
        self.lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (word, number) = line.split_once(' ')?;
            Some((word.to_owned(), number.parse().ok()?))
        })
    }

    /// Ends it at once, by SIGKILL where there is one.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The task, in the other process.
pub(crate) fn given(client_id: &str) -> Option<Task> {
    let [host, port, ca, cert, key, directory, round] = VARIABLES.map(|name| env::var(name).ok());
    let endpoint = Endpoint::parse(&host?).unwrap().with_port(port?.parse().unwrap());
    let identity = Identity::from_pem_files(Path::new(&cert?), Path::new(&key?)).unwrap();
    let roots = Roots::from_file(Path::new(&ca?));
    let mut options = ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, client_id).unwrap();
    options.persistence = Some(directory?.into());
    options.quotas = Quotas::none();
    // What all processes leave must have room, even if none gets to deliver any.
    options.queue.messages = 100_000;
    options.reconnect_maximum = std::time::Duration::from_millis(50);
    options.connect_interval = std::time::Duration::from_millis(10);
    Some(Task { options, round: round?.parse().unwrap() })
}
