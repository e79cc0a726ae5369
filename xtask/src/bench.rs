//! `cargo xtask bench`: what a connection costs here, and with the official Python and Node clients.
//!
//! First the package `bench` compares what the clients do within a process, rumqttc and bare paho among them.
//!
//! Then each client runs as its users run it: process start, connect by mutual TLS, disconnect, exit. The runs are
//! interleaved, so that a busy moment of the machine hits all of them alike.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo::{self, Progress};
use crate::private_sandbox::{PrivateSandbox, State};
use crate::setup::{self, Need};
use crate::workspace::Workspace;
use crate::{hint, node, print, python};

const RUNS: usize = 20;

/// Samples whose size is printed; the first is measured as a process, too.
const SAMPLES: [&str; 2] = ["pubsub", "sigv4_websocket_connect"];

/// Further measurements, each a program of the package `bench` with a report of its own.
const REPORTS: [&str; 2] = ["round_trips", "proxy_round_trips"];

/// The flags of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the comparison within a process
    #[arg(long)]
    compare: bool,
    /// Profile of the samples that are measured: `device` takes minutes to build, and is what a device gets
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Passed on to that comparison, such as --rounds 3; --help lists them
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

/// Measures and prints.
pub(crate) fn bench(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    setup::ensure(workspace, Need::Tests)?;
    let built = cargo::build_in(&workspace.bench(), &["--release"], Progress::Shown)?;
    compare(workspace, built.path("bench")?, &args.flags)?;
    if args.compare {
        return Ok(ExitCode::SUCCESS);
    }
    let node = node_script(workspace)?;
    let sandbox = cargo::build(workspace, &["--release", "-p", "sandbox"], Progress::Shown)?;

    let samples = samples(workspace, &args.profile)?;

    let sandbox = PrivateSandbox::start(workspace, sandbox.path("sandbox")?)?;
    let python = python::interpreter(workspace);
    let clients = [
        Client { name: "this project", slug: "rust", command: vec![built.path("connect")?.to_owned()] },
        Client {
            name: "pubsub, 1 message",
            slug: "pubsub",
            command: vec![samples[0].clone(), "--count".into(), "1".into()],
        },
        Client {
            name: "official Python",
            slug: "python",
            command: vec![python.clone(), workspace.root().join("crates/testkit/python/connect.py")],
        },
        Client { name: "official Node", slug: "node", command: vec!["node".into(), node] },
    ];
    let measure = Measure { python, script: workspace.root().join("crates/testkit/python/measure.py") };
    let floor = measure.run(&["true".into()])?.rss_kib;
    print::line(format!(
        "\nConnect and disconnect by mutual TLS, process start to exit, {RUNS} interleaved runs each\n"
    ))?;
    let results = interleaved(&clients, &measure, sandbox.state())?;
    print::line(table(&results, floor))?;
    drop(sandbox);
    for sample in &samples {
        let size = fs::metadata(sample).with_context(|| format!("cannot read {}", sample.display()))?.len();
        let name = sample.file_stem().unwrap_or_default().display();
        print::line(format!("{name}, profile {}: {:.1} MB", args.profile, size as f64 / 1e6))?;
    }

    print::line(incremental_build(workspace)?)?;
    for report in REPORTS {
        print::line(format!("\n{report}\n"))?;
        cargo::succeed(&mut Command::new(built.path(report)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds each sample alone: together they would have each other's features.
fn samples(workspace: &Workspace, profile: &str) -> Result<Vec<PathBuf>> {
    let build = |name| {
        let built = cargo::build(workspace, &["--profile", profile, "-p", name], Progress::Shown)?;
        built.path(name).map(Path::to_owned)
    };
    SAMPLES.into_iter().map(build).collect()
}

/// The comparison within a process: connect, round trips, throughput, memory, reconnection.
fn compare(workspace: &Workspace, bench: &Path, flags: &[OsString]) -> Result<()> {
    let mut command = Command::new(bench);
    command.arg("--python").arg(python::interpreter(workspace));
    command.arg("--node-modules").arg(node::folder(workspace));
    cargo::succeed(command.args(flags))
}

/// A program that connects once, with the same flags for all.
struct Client {
    name: &'static str,
    /// Part of the client ID.
    slug: &'static str,
    command: Vec<PathBuf>,
}

/// Runs a command and learns its times and peak memory; see crates/testkit/python/measure.py.
struct Measure {
    python: PathBuf,
    script: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    wall: Duration,
    cpu: Duration,
    rss_kib: u64,
}

impl Measure {
    fn run(&self, command: &[PathBuf]) -> Result<Sample> {
        // Isolated and without site packages: what measures should be small.
        let mut measure = Command::new(&self.python);
        measure.args(["-I", "-S"]).arg(&self.script).args(command);
        let output = measure.stdin(Stdio::null()).output().context("cannot run measure.py")?;
        let name = command.first().map(|program| program.display().to_string()).unwrap_or_default();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(hint::error(
                format!("{name} did not connect:\n{}", said.trim_end()),
                "a run that fails cannot be compared; see whether `cargo xtask test` passes",
            ));
        }
        sample(&output.stdout).with_context(|| format!("measure.py gave no result for {name}"))
    }
}

fn sample(json: &[u8]) -> Option<Sample> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let time = |name: &str| Duration::try_from_secs_f64(value[name].as_f64()?).ok();
    let (wall, cpu) = (time("wall_seconds")?, time("cpu_seconds")?);
    Some(Sample { wall, cpu, rss_kib: value["max_rss_kib"].as_u64()? })
}

/// The samples of each client, in the clients' order.
fn interleaved<'a>(
    clients: &'a [Client],
    measure: &Measure,
    state: &State,
) -> Result<Vec<(&'a str, Vec<Sample>)>> {
    let mut results: Vec<_> = clients.iter().map(|client| (client.name, Vec::new())).collect();
    let flags = [
        ("--endpoint", state.value("/endpoint")?),
        ("--port", state.value("/mqtt_port")?),
        ("--ca-file", state.value("/ca_file")?),
        ("--cert", state.value("/device/cert_file")?),
        ("--key", state.value("/device/key_file")?),
    ];
    // The first round fills the file cache and does not count.
    for run in 0..=RUNS {
        for (client, (_, samples)) in clients.iter().zip(&mut results) {
            let mut command = client.command.clone();
            command
                .extend(flags.iter().flat_map(|(name, value)| [PathBuf::from(name), PathBuf::from(value)]));
            // A client ID of its own: AWS takes one connection a second of each.
            command.extend(["--client-id".into(), format!("test-bench-{}-{run}", client.slug).into()]);
            let sample = measure.run(&command)?;
            if run > 0 {
                samples.push(sample);
            }
        }
    }
    Ok(results)
}

/// One line a client; the ratios are to the first.
fn table(results: &[(&str, Vec<Sample>)], floor: u64) -> String {
    let mut lines = vec![format!(
        "{:<18}{:>11}{:>9}{:>9}{:>9}{:>14}{:>9}{:>9}",
        "", "median ms", "min ms", "max ms", "CPU ms", "peak RSS KiB", "time", "memory"
    )];
    let first = results.first().map(|(_, samples)| Summary::of(samples));
    let mut floored = false;
    for (name, samples) in results {
        let own = Summary::of(samples);
        let of_first = first.as_ref().unwrap_or(&own);
        // The floor itself moves by a page or two.
        let at_floor = own.rss_kib <= floor + floor / 32;
        floored |= at_floor;
        lines.push(format!(
            "{name:<18}{:>11.1}{:>9.1}{:>9.1}{:>9.1}{:>14}{:>8.1}×{:>8.1}×",
            own.median,
            own.min,
            own.max,
            own.cpu,
            format!("{}{}", if at_floor { "≤ " } else { "" }, own.rss_kib),
            own.median / of_first.median,
            own.rss_kib as f64 / of_first.rss_kib as f64,
        ));
    }
    if floored {
        lines.push(format!(
            "≤: a child starts with what measures it, {floor} KiB; less than that does not show"
        ));
    }
    lines.join("\n") + "\n"
}

/// Wall times in milliseconds, and the medians of the processor times and the peaks.
struct Summary {
    median: f64,
    min: f64,
    max: f64,
    cpu: f64,
    rss_kib: u64,
}

impl Summary {
    fn of(samples: &[Sample]) -> Self {
        let sorted = |time: fn(&Sample) -> Duration| {
            let mut times: Vec<f64> = samples.iter().map(|s| time(s).as_secs_f64() * 1000.0).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let times = sorted(|sample| sample.wall);
        let cpu = sorted(|sample| sample.cpu);
        let mut peaks: Vec<u64> = samples.iter().map(|sample| sample.rss_kib).collect();
        peaks.sort_unstable();
        Self {
            median: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
            min: times.first().copied().unwrap_or(f64::NAN),
            max: times.last().copied().unwrap_or(f64::NAN),
            cpu: cpu.get(cpu.len() / 2).copied().unwrap_or(f64::NAN),
            rss_kib: peaks.get(peaks.len() / 2).copied().unwrap_or(0),
        }
    }
}

/// How long a user who changes a sample waits for it.
fn incremental_build(workspace: &Workspace) -> Result<String> {
    let source = workspace.root().join("samples/pubsub/src/main.rs");
    cargo::build(workspace, &["-p", "pubsub"], Progress::Shown)?;
    let mut times = Vec::new();
    for _ in 0..3 {
        touch(&source).with_context(|| format!("cannot touch {}", source.display()))?;
        let started = Instant::now();
        cargo::build(workspace, &["-p", "pubsub"], Progress::OnFailure)?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(format!("Incremental build of pubsub after a change (dev profile, median of 3): {:.2} s", times[1]))
}

fn touch(file: &Path) -> std::io::Result<()> {
    File::options().append(true).open(file)?.set_modified(SystemTime::now())
}

/// The script to run, copied to where Node finds the client: it looks for modules beside the script.
fn node_script(workspace: &Workspace) -> Result<PathBuf> {
    let script = node::folder(workspace).join("connect.mjs");
    fs::copy(workspace.root().join("crates/testkit/node/connect.mjs"), &script)
        .with_context(|| format!("cannot copy crates/testkit/node/connect.mjs to {}", script.display()))?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: &[u64], rss_kib: u64) -> Vec<Sample> {
        let sample =
            |ms| Sample { wall: Duration::from_millis(ms), cpu: Duration::from_millis(ms / 2), rss_kib };
        times.iter().copied().map(sample).collect()
    }

    #[test]
    fn measurement_is_read() {
        let read = sample(br#"{"wall_seconds": 0.25, "cpu_seconds": 0.125, "max_rss_kib": 12}"#);
        let (wall, cpu) = (Duration::from_millis(250), Duration::from_millis(125));
        assert_eq!(read, Some(Sample { wall, cpu, rss_kib: 12 }));
        assert_eq!(sample(b"{}"), None);
    }

    #[test]
    fn ratios_are_to_the_first() {
        let results = [("us", samples(&[10, 30, 20], 1000)), ("them", samples(&[200, 100, 300], 5000))];
        let table = table(&results, 500);
        let lines: Vec<_> = table.lines().collect();
        assert!(
            lines[1].starts_with("us") && lines[1].contains("20.0     10.0     30.0     10.0"),
            "{table}"
        );
        assert!(lines[2].contains("10.0×") && lines[2].ends_with("5.0×"), "{table}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn memory_at_the_floor_is_marked() {
        let table = table(&[("us", samples(&[1], 900))], 900);
        assert!(table.contains("≤ 900") && table.lines().count() == 3, "{table}");
    }
}
