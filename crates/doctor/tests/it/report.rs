//! A report, read back.

use std::fs;

use sandbox::{Device, Sandbox};
use testkit::{Outcome, Sample};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_doctor");

/// All checks, in order.
pub(crate) const CHECKS: [&str; 18] = [
    "endpoint",
    "proxy",
    "name",
    "TCP",
    "trust",
    "server certificate",
    "TLS",
    "ALPN",
    "clock",
    "credentials",
    "caller identity",
    "WebSocket",
    "CONNACK",
    "subscribe",
    "publish",
    "receive",
    "unsubscribe",
    "disconnect",
];

pub(crate) fn doctor() -> Sample {
    Sample::new(BINARY)
}

/// By mutual TLS, with a server that tells the time.
pub(crate) fn device(sandbox: &Sandbox) -> Sample {
    with_clock(doctor().mqtt(sandbox).device(sandbox.device()), sandbox)
}

/// By SigV4, with credentials of the environment.
pub(crate) fn signed(sandbox: &Sandbox) -> Sample {
    by_signature(sandbox).credentials(sandbox.credentials())
}

/// By SigV4, with credentials that are yet to be given; the sandbox is asked whose they are.
pub(crate) fn by_signature(sandbox: &Sandbox) -> Sample {
    let sample = doctor().https(sandbox).args(["--region", sandbox.region()]);
    sample.env("AWS_ENDPOINT_URL_STS", &sandbox.sts().endpoint)
}

pub(crate) fn with_clock(sample: Sample, sandbox: &Sandbox) -> Sample {
    sample.args(["--https-port", &sandbox.https_port().to_string()])
}

/// What the doctor wrote.
#[derive(Debug)]
pub(crate) struct Report {
    outcome: Outcome,
}

impl Report {
    /// Runs the doctor, and requires that all checks are in its report, and no secret of the sandbox's.
    #[track_caller]
    pub(crate) fn of(sample: Sample, sandbox: &Sandbox) -> Self {
        let outcome = sample.run();
        assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
        no_secrets(&outcome, sandbox);
        let report = Self { outcome };
        let names: Vec<_> = report.lines().map(name).collect();
        assert_eq!(names, CHECKS, "{report:#?}");
        report
    }

    /// Requires success, and warnings from `warnings` and nobody else.
    #[track_caller]
    pub(crate) fn works_with_warnings_of(self, warnings: &[&str]) -> Self {
        assert_eq!(self.outcome.code, Some(0), "{self:#?}");
        assert_eq!(self.signed("FAIL"), [""; 0], "{self:#?}");
        assert_eq!(self.signed("warn"), warnings, "{self:#?}");
        self
    }

    /// Requires that just `failed` have failed.
    #[track_caller]
    pub(crate) fn has_failed(self, failed: &[&str]) -> Self {
        assert_eq!(self.outcome.code, Some(1), "{self:#?}");
        assert_eq!(self.signed("FAIL"), failed, "{self:#?}");
        self
    }

    /// Requires that the checks from `first` to the last were not reached because `failed` had failed.
    #[track_caller]
    pub(crate) fn stopped(self, first: &str, failed: &str) -> Self {
        let at = CHECKS.iter().position(|check| *check == first).unwrap();
        for check in &CHECKS[at..] {
            let words = self.words(check);
            assert_eq!(self.sign(check), "-", "{check}: {self:#?}");
            assert!(words.contains(&format!("not reached: {failed} failed")), "{check}: {words}");
        }
        self
    }

    /// Requires `words` in the line of a check and what belongs to it.
    #[track_caller]
    pub(crate) fn says(self, check: &str, words: &[&str]) -> Self {
        let said = self.words(check);
        for word in words {
            assert!(said.contains(word), "no {word:?} in {said}\n{self:#?}");
        }
        self
    }

    pub(crate) fn sign(&self, check: &str) -> &str {
        self.lines().find(|line| name(line) == check).map_or("", sign)
    }

    fn signed(&self, wanted: &str) -> Vec<&str> {
        self.lines().filter(|line| sign(line) == wanted).map(name).collect()
    }

    /// A line for each check.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let checks = self.outcome.stdout.lines().take_while(|line| !line.is_empty());
        checks.filter(|line| !line.starts_with("        "))
    }

    /// The lines of one check.
    fn words(&self, check: &str) -> String {
        let mut lines = self.outcome.stdout.lines().skip_while(|line| name(line) != check);
        let first = lines.next().unwrap_or_default();
        let rest = lines.take_while(|line| line.starts_with("        "));
        [first].into_iter().chain(rest).collect::<Vec<_>>().join("\n")
    }
}

fn sign(line: &str) -> &str {
    line.get(..4).unwrap_or_default().trim()
}

fn name(line: &str) -> &str {
    line.get(6..24).unwrap_or_default().trim()
}

/// Requires that none of the sandbox's secrets is in what was written.
#[track_caller]
pub(crate) fn no_secrets(outcome: &Outcome, sandbox: &Sandbox) {
    let credentials = sandbox.credentials();
    let expired = sandbox.expired_credentials();
    let (signed, unsigned) = (&sandbox.authorizers().signed, &sandbox.authorizers().unsigned);
    let mut secrets = vec![
        credentials.secret_access_key.clone(),
        credentials.session_token.clone(),
        expired.secret_access_key.clone(),
        expired.session_token.clone(),
        signed.password.clone(),
        signed.token_value.clone(),
        signed.token_signature.clone(),
        unsigned.password.clone(),
        sandbox.device().pkcs12_password.clone(),
        "hunter2".to_owned(),
    ];
    secrets.extend(key_lines(sandbox.device()));
    for secret in secrets {
        assert!(!secret.is_empty());
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!text.contains(&secret), "the secret {secret} is shown: {outcome:#?}");
    }
}

fn key_lines(device: &Device) -> Vec<String> {
    let pem = fs::read_to_string(&device.key_file).unwrap();
    pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect()
}
