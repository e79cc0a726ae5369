//! What the private link costs a connect and a reconnect, beside paho alone.
//!
//! "over the link" is the last step of a connection attempt: opening the link, finding out that the peer is this
//! process, CONNECT, the sandbox's policy decision, CONNACK. "paho alone" connects over plain TCP to a responder
//! that accepts at once, which is the least that paho can do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use common::{
    Auth, Client, ClientOptions, Endpoint, Event, Events, Identity, Layer, Quotas, Roots, Timeline,
};
use paho_mqtt as paho;
use sandbox::Sandbox;
use sandbox::relay::{Options, Relay};

const RUNS: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let sandbox = Sandbox::start()?;
    let relay = Relay::start(sandbox.mqtt_port(), Options::default())?;
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file)?;
    let endpoint = Endpoint::parse("localhost")?.with_port(relay.port());
    let roots = Roots::from_file(sandbox.ca_file());
    let mut options = ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, "test-link")?;
    // Long enough that the wait is over when the attempt begins.
    options.reconnect_minimum = Duration::from_millis(200);
    options.quotas = Quotas::none();
    options.reconnect_maximum = Duration::from_millis(200);

    let mut alone = Vec::new();
    let mut connects = Vec::new();
    let mut reconnects = Vec::new();
    for _ in 0..RUNS {
        alone.push(paho_alone().await?);
        let (client, mut events) = Client::connect(options.clone()).await?;
        connects.push(next_connected(&mut events).await?);
        relay.cut();
        reconnects.push(next_connected(&mut events).await?);
        client.disconnect().await?;
    }
    println!("{:<28} {:>10} {:>10} {:>10}", "to CONNACK, ms", "median", "min", "max");
    row("connect, paho alone", alone);
    row("connect over the link", connects);
    row("reconnect over the link", reconnects);
    Ok(())
}

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (median, min, max) = (times[RUNS / 2], times[0], times[RUNS - 1]);
    println!("{name:<28} {:>10.2} {:>10.2} {:>10.2}", ms(median), ms(min), ms(max));
}

/// How long the MQTT step of the next connection took.
async fn next_connected(events: &mut Events) -> Result<Duration> {
    loop {
        match events.next().await.context("the client has stopped")? {
            Event::Connected { timeline, .. } => return mqtt_step(&timeline).context("no MQTT step"),
            _ => continue,
        }
    }
}

fn mqtt_step(timeline: &Timeline) -> Option<Duration> {
    let step = timeline.steps().into_iter().find(|step| step.layer == Layer::Mqtt)?;
    Some(step.ended? - step.began)
}

async fn paho_alone() -> Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let uri = format!("tcp://{}", listener.local_addr()?);
    let responder = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut buffer = [0; 1024];
        // CONNECT, then until the client closes.
        let _ = stream.read(&mut buffer)?;
        stream.write_all(&[0x20, 3, 0, 0, 0])?;
        while stream.read(&mut buffer)? > 0 {}
        Ok(())
    });
    let create =
        paho::CreateOptionsBuilder::new().server_uri(uri).client_id("alone").persistence(None).finalize();
    let client = paho::AsyncClient::new(create)?;
    let began = Instant::now();
    client.connect(paho::ConnectOptionsBuilder::new_v5().finalize()).await?;
    let time = began.elapsed();
    client.disconnect(None).await?;
    // Right after a disconnect paho would hang (`common/src/client/guard.rs`).
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(client);
    responder.join().map_err(|_| anyhow::anyhow!("the responder panicked"))??;
    Ok(time)
}
