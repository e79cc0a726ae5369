//! How many round trips lie between the first SYN and CONNACK, seen over a path on which each takes 100 ms; and what
//! credentials from a slow source add to them.
//!
//! The delay is a relay's. It cannot delay the TCP handshake, which the kernel answers, so that one is counted, not
//! timed.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use common::{CredentialSource, SigV4, StaticCredentials};
use iot_client::{Auth, Client, ClientOptions, Event};
use iot_transport::{Endpoint, Identity, Layer, Roots, Step};
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

const ROUND_TRIP: Duration = Duration::from_millis(100);
const RUNS: usize = 20;

/// How long each answer of the metadata service takes. The SDK asks it several times for one set of credentials.
const METADATA_DELAY: Duration = Duration::from_millis(75);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [port, ca_file, region] => slow_metadata(port.parse()?, Path::new(ca_file), region).await,
        _ => {
            round_trips().await?;
            with_metadata_service()
        }
    }
}

async fn round_trips() -> Result<()> {
    let sandbox = Sandbox::start()?;
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file)?;
    let keys = sandbox.credentials();
    let keys = StaticCredentials::new(
        keys.access_key_id.clone(),
        keys.secret_access_key.clone(),
        Some(keys.session_token.clone().into()),
    );
    let region = sandbox.region().to_owned();
    let signed = Auth::from(SigV4::new(CredentialSource::Static(keys), region));

    println!("{:<24} {:>12} {:>14} {:>8}", "to CONNACK", "median ms", "round trips", "needed");
    for (name, auth, port, needed) in [
        ("direct, mutual TLS", Auth::MutualTls(identity), sandbox.mqtt_port(), 3),
        ("WebSocket, SigV4", signed, sandbox.https_port(), 4),
    ] {
        let relay = Relay::start(port, Options { one_way_delay: ROUND_TRIP / 2 })?;
        let mut times = Vec::new();
        for run in 0..RUNS {
            times.push(connect(&auth, relay.port(), sandbox.ca_file(), run).await?.0);
        }
        let median = median(times);
        let handshake = 1.0;
        let round_trips = handshake + median.as_secs_f64() / ROUND_TRIP.as_secs_f64();
        println!("{name:<24} {:>12.1} {round_trips:>14.2} {needed:>8}", milliseconds(median));
    }
    Ok(())
}

/// Runs this program anew: the metadata service is found by the environment alone.
fn with_metadata_service() -> Result<()> {
    let sandbox = Sandbox::builder().metadata_delay(METADATA_DELAY).start()?;
    let relay = Relay::start(sandbox.https_port(), Options { one_way_delay: ROUND_TRIP / 2 })?;
    let status = Command::new(env::current_exe()?)
        .arg(relay.port().to_string())
        .arg(sandbox.ca_file())
        .arg(sandbox.region())
        .env_clear()
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &sandbox.metadata().endpoint)
        .status()?;
    ensure!(status.success(), "the measurement with a metadata service ended with {status}");
    Ok(())
}

async fn slow_metadata(port: u16, ca_file: &Path, region: &str) -> Result<()> {
    let auth = Auth::from(SigV4::new(CredentialSource::DefaultChain, region.to_owned()));
    let (mut measured, mut credentials, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let (total, steps) = connect(&auth, port, ca_file, run).await?;
        let step = |layer| steps.iter().find(|step| step.layer == layer).context("a step is missing");
        let ended = |step: &Step| step.ended.context("a step has not ended");
        let source = step(Layer::Credentials)?;
        measured.push(total);
        credentials.push(ended(source)? - source.began);
        // Both ends of the wait for the credentials, if there was one.
        rest.push(ended(step(Layer::Tls)?)? + (total - step(Layer::WebSocket)?.began));
    }
    let (measured, credentials, rest) = (median(measured), median(credentials), median(rest));
    let delay = milliseconds(METADATA_DELAY);
    println!("\nWebSocket, SigV4, from EC2 metadata whose answers take {delay} ms each");
    println!("{:<32} {:>12}", "", "median ms");
    for (name, time) in [
        ("credentials alone", credentials),
        ("connection to CONNACK alone", rest),
        ("one after the other, the sum", credentials + rest),
        ("to CONNACK, measured", measured),
    ] {
        println!("{name:<32} {:>12.1}", milliseconds(time));
    }
    Ok(())
}

/// The time to CONNACK of a new client, and its steps.
async fn connect(auth: &Auth, port: u16, ca_file: &Path, run: usize) -> Result<(Duration, Vec<Step>)> {
    let endpoint = Endpoint::parse("localhost")?.with_port(port);
    let roots = Roots::from_file(ca_file);
    let options = ClientOptions::new(endpoint, auth.clone(), roots, format!("test-{run}"))?;
    let began = Instant::now();
    let (client, mut events) = Client::connect(options).await?;
    let time = began.elapsed();
    let timeline = loop {
        match events.next().await.context("the client is connected")? {
            Event::Connected { timeline, .. } => break timeline,
            _ => continue,
        }
    };
    client.disconnect().await?;
    Ok((time, timeline.steps()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
