//! Compares this project's client with its peers: what `cargo xtask bench` runs.
//!
//! All peers run in turns against one mosquitto, round after round, so that a busy moment of the machine hits all of
//! them alike. What is printed are medians over the rounds.

mod machine;
mod peer;
mod results;
mod rounds;
mod table;

use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, path, thread};

use anyhow::{Context, Result};
use clap::Parser;
use testkit::Mosquitto;

use crate::peer::Program;
use crate::rounds::{Broker, Counts};

/// Compares this project's client with the official clients, rumqttc and bare paho
#[derive(Debug, Parser)]
struct Args {
    /// The Python that has the official client
    #[arg(long)]
    python: PathBuf,
    /// The folder whose node_modules has the official client
    #[arg(long, value_name = "DIR")]
    node_modules: PathBuf,
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections of each client in a round
    #[arg(long, default_value_t = 20)]
    connects: usize,
    /// Round trips of each client in a round, at each QoS
    #[arg(long, default_value_t = 2000)]
    round_trips: usize,
    /// Messages of each client in a round, for each window
    #[arg(long, default_value_t = 40_000)]
    messages: usize,
    /// How often the broker goes, for each back-off; 0 leaves the reconnections out
    #[arg(long, default_value_t = 10)]
    outages: usize,
    /// For how many milliseconds it goes
    #[arg(long, default_value_t = 2000)]
    outage: u64,
    /// Connections of each client that an outage hits
    #[arg(long, default_value_t = 3)]
    clients: usize,
    /// Only the peers whose name contains this
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    match compare(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Result<()> {
    let programs: Vec<_> =
        programs(args)?.into_iter().filter(|program| program.name.contains(&args.only)).collect();
    let broker: Broker = Arc::new(Mutex::new(Some(Mosquitto::unlimited())));
    end_with_a_signal(Arc::clone(&broker))?;
    let outcome = report(args, &programs, &broker);
    // The thread that waits for a signal holds it, too.
    end(&broker);
    outcome
}

fn report(args: &Args, programs: &[Program], broker: &Broker) -> Result<()> {
    println!("{}", machine::description());
    let counts = Counts {
        rounds: args.rounds,
        connects: args.connects,
        round_trips: args.round_trips,
        messages: args.messages,
        outages: args.outages,
        outage: Duration::from_millis(args.outage),
        clients: args.clients,
    };
    let results = rounds::run(programs, broker, &counts)?;
    println!("Load average at the end: {}\n", machine::load());
    println!("{}", rounds::settings(&counts));
    let names: Vec<_> = programs.iter().map(|program| program.name).collect();
    println!("{}", table::table(&names, &results));
    Ok(())
}

/// This project's first: the others are compared with it.
fn programs(args: &Args) -> Result<Vec<Program>> {
    let own = env::current_exe().context("the path of this program is not known")?;
    let beside = |name: &str| own.with_file_name(name).with_extension(env::consts::EXE_EXTENSION);
    let scripts = testkit::workspace().join("crates/testkit");
    // Node takes no other.
    let modules =
        path::absolute(&args.node_modules).context("the folder of node_modules cannot be resolved")?;
    Ok(vec![
        Program::new("this project", "common", vec![beside("peer_common")]),
        Program::new(
            "official Python",
            "python",
            vec![args.python.clone(), "-I".into(), scripts.join("python/bench.py")],
        ),
        Program::new(
            "official Node",
            "node",
            vec!["node".into(), scripts.join("node/bench.mjs"), "--modules".into(), modules],
        ),
        Program::new("rumqttc", "rumqttc", vec![beside("peer_rumqttc")]),
        Program::plain("paho, plain TCP", "paho", vec![beside("peer_paho")]),
    ])
}

/// Sees to it that mosquitto ends with this program. The peers do by themselves, when their stdin ends.
fn end_with_a_signal(broker: Broker) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(signal());
        end(&broker);
        exit(130);
    });
    Ok(())
}

fn end(broker: &Broker) {
    // Poisoned or not, it has to go.
    drop(broker.lock().unwrap_or_else(PoisonError::into_inner).take());
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
