//! QoS 1 messages a second through the client and the sandbox over TLS: published alone, and published by one client
//! and received by another.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use common::{Auth, Client, ClientOptions, Endpoint, Events, Identity, Message, QoS, Quotas, Roots};
use sandbox::{Principal, Sandbox};
use tokio::task::JoinSet;

const MESSAGES: usize = 10_000;
const RUNS: usize = 7;
const IN_FLIGHT: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let sandbox = Sandbox::start()?;
    let everything = r#"{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}"#;
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{everything}]}}"#);
    sandbox.set_policies(Principal::Device, &[policy])?;
    let (publisher, events) = client(&sandbox, "test-publisher").await?;
    drop(events);
    let (subscriber, mut events) = client(&sandbox, "test-subscriber").await?;
    subscriber.subscribe("test/topic", QoS::AtLeastOnce).await?;
    let (mut alone, mut received) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let began = Instant::now();
        publish(&publisher, "test/elsewhere").await?;
        alone.push(began.elapsed());
        let began = Instant::now();
        let publishing = tokio::spawn({
            let publisher = publisher.clone();
            async move { publish(&publisher, "test/topic").await }
        });
        for number in 0..MESSAGES {
            events.message("test/topic", LIMIT).await.with_context(|| number.to_string())?;
        }
        received.push(began.elapsed());
        publishing.await??;
    }
    println!("{:<24} {:>10} {:>10} {:>10}", "messages/s", "median", "worst", "best");
    row("published", alone);
    row("published and received", received);
    publisher.disconnect().await?;
    subscriber.disconnect().await?;
    Ok(())
}

async fn client(sandbox: &Sandbox, client_id: &str) -> Result<(Client, Events)> {
    let device = sandbox.device();
    let identity = Identity::from_pem_files(&device.cert_file, &device.key_file)?;
    let endpoint = Endpoint::parse("localhost")?.with_port(sandbox.mqtt_port());
    let roots = Roots::from_file(sandbox.ca_file());
    let mut options = ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, client_id)?;
    options.quotas = Quotas::none();
    Ok(Client::connect(options).await?)
}

async fn publish(client: &Client, topic: &'static str) -> Result<()> {
    let mut publishes = JoinSet::new();
    for number in 0..MESSAGES {
        if publishes.len() >= IN_FLIGHT {
            publishes.join_next().await.context("there are some")???;
        }
        let client = client.clone();
        publishes.spawn(async move {
            client.publish(Message::new(topic, format!("{number:0128}"))).await.context("publish")
        });
    }
    while let Some(outcome) = publishes.join_next().await {
        outcome??;
    }
    Ok(())
}

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let rate = |time: Duration| MESSAGES as f64 / time.as_secs_f64();
    let (median, worst, best) = (times[RUNS / 2], times[RUNS - 1], times[0]);
    println!("{name:<24} {:>10.0} {:>10.0} {:>10.0}", rate(median), rate(worst), rate(best));
}
