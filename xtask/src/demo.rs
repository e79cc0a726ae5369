//! `cargo xtask demo`: every sample against one sandbox, shown to a person.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cargo::{self, Executables, Progress};
use crate::launch::Launch;
use crate::print;
use crate::private_sandbox::{PrivateSandbox, State};
use crate::setup::{self, Need};
use crate::style::Style;
use crate::token;
use crate::workspace::{Sample, Workspace};

/// A sample takes a second or two; one that hangs must not hang the demo.
const LIMIT: Duration = Duration::from_secs(60);

/// The sample whose steps to an AWS account are those of the root README.
const NEXT: &str = "pubsub";

/// The flags of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One sample only: its folder or package
    sample: Option<String>,
}

/// Runs the samples; the exit code is 1 when any of them failed.
pub(crate) fn demo(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let samples = match &args.sample {
        Some(name) => vec![workspace.sample(name)?],
        None => workspace.samples()?,
    };
    let (by_hand, samples): (Vec<_>, Vec<_>) =
        samples.into_iter().partition(|sample| sample.manifest.by_hand.is_some());
    let style = Style::of_stdout();
    if samples.is_empty() {
        by_hand.iter().try_for_each(|sample| skip(sample, style))?;
        return Ok(ExitCode::SUCCESS);
    }
    let with_token = samples.iter().any(token::is_wanted_by);
    setup::ensure(workspace, if with_token { Need::Token } else { Need::Build })?;
    let title = "AWS IoT Core samples for Rust, against a local sandbox: no AWS account is involved";
    print::line(style.bold(title) + "\n")?;

    let executables = build(workspace, &samples, style)?;
    let mut sandbox = PrivateSandbox::start(workspace, executables.path("sandbox")?)?;
    if with_token {
        token::make(sandbox.state_mut())?;
    }
    let mut failed = Vec::new();
    for sample in &samples {
        if !show(sample, &executables, sandbox.state(), style)? {
            failed.push(sample.folder.as_str());
        }
    }
    by_hand.iter().try_for_each(|sample| skip(sample, style))?;
    print::line(summary(samples.len(), &failed, style))?;
    let next = samples.iter().find(|sample| sample.folder == NEXT).or(samples.first());
    if let (true, Some(Sample { folder: sample, .. })) = (failed.is_empty(), next) {
        print::line("\nConnect to your own AWS account next:")?;
        print::line(format!("  cargo xtask policy {sample} --region <region> --account <account>"))?;
        print::line(format!(
            "  cargo xtask run {sample} -- --endpoint <prefix>-ats.iot.<region>.amazonaws.com …"
        ))?;
        print::line(format!(
            "The steps are in README.md; what {sample} needs is in samples/{sample}/README.md"
        ))?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(workspace: &Workspace, samples: &[Sample], style: Style) -> Result<Executables> {
    print::line("Building (the first build takes a few minutes)")?;
    let started = Instant::now();
    let mut selection = vec!["-p", "sandbox"];
    selection.extend(samples.iter().flat_map(|sample| ["-p", sample.manifest.package.as_str()]));
    let executables = cargo::build(workspace, &selection, Progress::OnFailure)?;
    print::line(format!("{}\n", style.dim(&format!("Built in {}", seconds(started.elapsed())))))?;
    Ok(executables)
}

/// Shows a sample that takes a person to run it.
fn skip(sample: &Sample, style: Style) -> Result<()> {
    print::line(format!("{}  {}", style.bold(&sample.folder), sample.title))?;
    print::line(format!("  skipped: it {}", sample.manifest.by_hand.as_deref().unwrap_or_default()))?;
    print::line(format!("  {}\n", style.dim(&format!("samples/{}/README.md shows how", sample.folder))))
}

/// Runs one sample and shows it; whether it succeeded.
fn show(sample: &Sample, executables: &Executables, state: &State, style: Style) -> Result<bool> {
    print::line(format!("{}  {}", style.bold(&sample.folder), sample.title))?;
    let launch = Launch::to_sandbox(sample, &[], state)?.with_demo(sample);
    print::line(format!("  {}", style.dim(&format!("$ {}", launch.in_short(&sample.manifest.package)))))?;

    let started = Instant::now();
    let mut command = Command::new(executables.path(&sample.manifest.package)?);
    launch.apply(&mut command);
    let outcome = watch(&mut command).with_context(|| format!("cannot run {}", sample.manifest.package))?;
    let time = seconds(started.elapsed());
    match outcome {
        Outcome::Ended { status, .. } if status.success() => {
            print::line(format!("  {} done in {time}\n", style.good("✓")))?;
            return Ok(true);
        }
        Outcome::Ended { status, stderr } => {
            print::line(format!("  {} {status} after {time}\n", style.bad("✗")))?;
            eprintln!("error: the sample `{}` failed, and said:\n{}", sample.folder, indented(&stderr));
        }
        Outcome::TimedOut { stderr } => {
            print::line(format!("  {} not done after {time}\n", style.bad("✗")))?;
            eprintln!(
                "error: the sample `{}` took too long, and said:\n{}",
                sample.folder,
                indented(&stderr)
            );
        }
    }
    eprintln!("hint: run it alone, with logs: cargo xtask run {} -- --verbose\n", sample.folder);
    Ok(false)
}

enum Outcome {
    Ended { status: ExitStatus, stderr: String },
    TimedOut { stderr: String },
}

/// Shows the child's stdout line by line as it comes, and keeps its stderr.
fn watch(command: &mut Command) -> Result<Outcome> {
    let deadline = Instant::now() + LIMIT;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stderr = collect_stderr(&mut child)?;
    let stdout = child.stdout.take().context("no stdout")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
    });
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Err(error) = print::line(format!("    {line}")) {
                    child.kill()?;
                    child.wait()?;
                    return Err(error);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Ok(Outcome::TimedOut { stderr: stderr.join().unwrap_or_default() });
            }
        }
    }
    Ok(Outcome::Ended { status: child.wait()?, stderr: stderr.join().unwrap_or_default() })
}

fn collect_stderr(child: &mut Child) -> Result<thread::JoinHandle<String>> {
    let mut stderr = child.stderr.take().context("no stderr")?;
    Ok(thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error leaves what came before it, which is all there is to show.
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn summary(count: usize, failed: &[&str], style: Style) -> String {
    let samples = if count == 1 { "sample" } else { "samples" };
    if failed.is_empty() {
        style.good(&format!("{count} {samples} ran, all well"))
    } else {
        style.bad(&format!("{} of {count} {samples} failed: {}", failed.len(), failed.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_counts_and_names() {
        let style = Style::plain();
        assert_eq!(summary(1, &[], style), "1 sample ran, all well");
        assert_eq!(summary(3, &["pubsub"], style), "1 of 3 samples failed: pubsub");
    }

    #[test]
    #[cfg(unix)]
    fn a_failure_keeps_its_exit_code_and_stderr() {
        let outcome = watch(Command::new("sh").args(["-c", "echo out; echo why >&2; exit 3"])).unwrap();
        let Outcome::Ended { status, stderr } = outcome else { panic!("it ended") };
        assert_eq!((status.code(), stderr.as_str()), (Some(3), "why\n"));
        assert_eq!(indented(&stderr), "    why");
    }
}
