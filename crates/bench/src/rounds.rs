//! What is measured, in which order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::{MAX_IN_FLIGHT, PAYLOAD};
use serde_json::Value;
use testkit::Mosquitto;

use crate::machine;
use crate::peer::{Peer, Program};
use crate::results::{Metric, Results, quantile};

/// The broker, which somebody else may end at any time.
pub(crate) type Broker = Arc<Mutex<Option<Mosquitto>>>;

const WINDOWS: [usize; 2] = [100, MAX_IN_FLIGHT as usize];

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) rounds: usize,
    pub(crate) connects: usize,
    pub(crate) round_trips: usize,
    pub(crate) messages: usize,
    pub(crate) outages: usize,
    pub(crate) outage: Duration,
    pub(crate) clients: usize,
}

/// Under which conditions the figures are what they are.
pub(crate) fn settings(counts: &Counts) -> String {
    format!(
        "MQTT 5 over mutual TLS to one mosquitto on loopback (paho: plain TCP); payload {PAYLOAD} B; every client \
         allows\n{MAX_IN_FLIGHT} messages in flight and limits nothing else (ours: Quotas::none(), official clients: \
         flow control NONE).\nMedians of {} interleaved rounds, each with {} connects, up to {} round trips and {} messages a \
         client.\nReconnection: the broker goes for {:.1} s, {} times, and takes {} connections of each client with \
         it. \"default\" is\nthe client's own back-off: this project and the official clients full jitter from 1 s \
         to 120 s, this project at\nmost one attempt a second; rumqttc none: polled again after 10 ms. \"equal\" is \
         full jitter below 1 s for all.\n",
        counts.rounds,
        counts.connects,
        counts.round_trips,
        counts.messages,
        counts.outage.as_secs_f64(),
        counts.outages,
        counts.clients,
    )
}

pub(crate) fn run(programs: &[Program], broker: &Broker, counts: &Counts) -> Result<Results> {
    let mut results = Results::new(programs.len());
    for round in 1..=counts.rounds {
        eprintln!("round {round} of {}", counts.rounds);
        measure(programs, broker, counts, &mut results)?;
    }
    for (backoff, metric) in [("default", Metric::ReconnectDefault), ("equal", Metric::ReconnectEqual)] {
        for outage in 1..=counts.outages {
            eprintln!("outage {outage} of {}, {backoff} back-off", counts.outages);
            lose_broker(programs, broker, counts, backoff, |program, time| {
                results.add(program, metric, time.as_secs_f64());
            })?;
        }
    }
    Ok(results)
}

fn measure(programs: &[Program], broker: &Broker, counts: &Counts, results: &mut Results) -> Result<()> {
    let broker_process = running(broker).as_ref().context(ENDED)?.process_id();
    let mut peers = start(programs, broker)?;
    for (index, peer) in peers.iter_mut().enumerate() {
        let times = seconds(&peer.ask(&format!("connect {}", counts.connects))?)?;
        results.add(index, Metric::Connect, quantile(times, 0.5));
    }
    for (qos, median, tail) in
        [(0, Metric::Qos0Median, Metric::Qos0Tail), (1, Metric::Qos1Median, Metric::Qos1Tail)]
    {
        for (index, peer) in peers.iter_mut().enumerate() {
            let times = seconds(&peer.ask(&format!("round-trips {qos} {}", counts.round_trips))?)?;
            results.add(index, median, quantile(times.clone(), 0.5));
            results.add(index, tail, quantile(times, 0.99));
        }
    }
    for (window, throughput, cpu, broker_cpu) in [
        (WINDOWS[0], Metric::Throughput100, Metric::Cpu100, Metric::BrokerCpu100),
        (WINDOWS[1], Metric::Throughput1000, Metric::Cpu1000, Metric::BrokerCpu1000),
    ] {
        for (index, peer) in peers.iter_mut().enumerate() {
            let processes = [(peer.process_id(), cpu), (broker_process, broker_cpu)];
            let before = processes.map(|(process, _)| machine::cpu_time(process));
            let answer = peer.ask(&format!("publish {window} {}", counts.messages))?;
            let took = answer["seconds"].as_f64().context("a publish has its time")?;
            let messages = counts.messages as f64;
            results.add(index, throughput, messages / took);
            for ((process, metric), before) in processes.into_iter().zip(before) {
                if let Some((before, after)) = before.zip(machine::cpu_time(process)) {
                    results.add(index, metric, (after - before).as_secs_f64() / messages);
                }
            }
        }
    }
    for (index, peer) in peers.iter().enumerate() {
        if let Some(kib) = machine::peak_memory(peer.process_id()) {
            results.add(index, Metric::Memory, kib as f64 * 1024.0);
        }
    }
    Ok(())
}

/// Takes the broker away from all clients at once and gives it back; `reconnected` hears how long after that each
/// client of each program had its CONNACK. The clients are new each time, and so is their back-off.
fn lose_broker(
    programs: &[Program],
    broker: &Broker,
    counts: &Counts,
    backoff: &str,
    mut reconnected: impl FnMut(usize, Duration),
) -> Result<()> {
    let peers = start(programs, broker)?;
    let mut peers: Vec<_> =
        peers.into_iter().enumerate().filter(|(index, _)| programs[*index].reconnects()).collect();
    for (_, peer) in &mut peers {
        peer.tell(&format!("outlive {backoff} {}", counts.clients))?;
        for _ in 0..counts.clients {
            ensure!(peer.next()?.1["connected"] == true, "a client connects first");
        }
    }
    running(broker).as_mut().context(ENDED)?.kill();
    thread::sleep(counts.outage);
    running(broker).as_mut().context(ENDED)?.resume();
    let back = Instant::now();
    for (index, peer) in &peers {
        for _ in 0..counts.clients {
            let (at, answer) = peer.next()?;
            ensure!(answer["reconnected"] == true, "a client finds its broker again");
            // One may be faster than the broker's word that it listens.
            reconnected(*index, at.saturating_duration_since(back));
        }
        ensure!(peer.next()?.1["done"] == true, "a peer has an end");
    }
    Ok(())
}

const ENDED: &str = "the broker has been ended";

fn running(broker: &Broker) -> MutexGuard<'_, Option<Mosquitto>> {
    broker.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(programs: &[Program], broker: &Broker) -> Result<Vec<Peer>> {
    let broker = running(broker);
    let broker = broker.as_ref().context(ENDED)?;
    programs.iter().map(|program| program.start(broker)).collect()
}

fn seconds(answer: &Value) -> Result<Vec<f64>> {
    let times = answer["seconds"].as_array().context("an answer has its times")?;
    times.iter().map(|time| time.as_f64().context("a time is a number")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_and_nothing_else() {
        assert_eq!(seconds(&json!({ "seconds": [0.5, 1] })).unwrap(), [0.5, 1.0]);
        assert!(seconds(&json!({ "seconds": ["x"] })).is_err());
        assert!(seconds(&json!({ "done": true })).is_err());
    }
}
