//! How many round trips lie between the first SYN and CONNACK, seen over a path on which each takes 100 ms.
//!
//! The delay is a relay's. It cannot delay the TCP handshake, which the kernel answers, so that one is counted, not
//! timed.

use std::time::{Duration, Instant};

use anyhow::Result;
use common::{Auth, Client, ClientOptions, CredentialSource, Endpoint, Identity, Roots, StaticCredentials};
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

const ROUND_TRIP: Duration = Duration::from_millis(100);
const RUNS: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let sandbox = Sandbox::start()?;
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file)?;
    let keys = sandbox.credentials();
    let keys = StaticCredentials::new(
        keys.access_key_id.clone(),
        keys.secret_access_key.clone(),
        Some(keys.session_token.clone()),
    );
    let region = sandbox.region().to_owned();
    let signed = Auth::SigV4 { credentials: CredentialSource::Static(keys), region };

    println!("{:<24} {:>12} {:>14} {:>8}", "to CONNACK", "median ms", "round trips", "needed");
    for (name, auth, port, needed) in [
        ("direct, mutual TLS", Auth::MutualTls(identity), sandbox.mqtt_port(), 3),
        ("WebSocket, SigV4", signed, sandbox.https_port(), 4),
    ] {
        let relay = Relay::start(port, Options { one_way_delay: ROUND_TRIP / 2 })?;
        let mut times = Vec::new();
        for run in 0..RUNS {
            let endpoint = Endpoint::parse("localhost")?.with_port(relay.port());
            let roots = Roots::from_file(sandbox.ca_file());
            let options = ClientOptions::new(endpoint, auth.clone(), roots, format!("test-{run}"))?;
            let began = Instant::now();
            let (client, _events) = Client::connect(options).await?;
            times.push(began.elapsed());
            client.disconnect().await?;
        }
        times.sort_unstable();
        let median = times[RUNS / 2];
        let handshake = 1.0;
        let round_trips = handshake + median.as_secs_f64() / ROUND_TRIP.as_secs_f64();
        println!("{name:<24} {:>12.1} {round_trips:>14.2} {needed:>8}", median.as_secs_f64() * 1000.0);
    }
    Ok(())
}
