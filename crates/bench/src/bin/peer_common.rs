//! This project's client as a peer of the benchmark.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::{Backoff, Flags, KEEP_ALIVE, MAX_IN_FLIGHT, PAYLOAD, Peer, Progress, Qos, ROUND_TRIPS, serve};
use clap::Parser;
use iot_client::{Auth, Client, ClientOptions, Event, Events, Message, QoS, Quotas};
use iot_transport::{Endpoint, Identity, Roots};

fn main() -> Result<()> {
    let flags = Flags::parse();
    let tls = flags.tls.as_ref().context("--ca-file, --cert and --key are required")?;
    let identity = Identity::from_pem_files(&tls.cert, &tls.key)?;
    let endpoint = Endpoint::parse(&flags.host)?.with_port(flags.port);
    let roots = Roots::from_file(&tls.ca_file);
    let mut options = ClientOptions::new(endpoint, Auth::MutualTls(identity), roots, &flags.client_id)?;
    options.keep_alive = KEEP_ALIVE;
    options.max_in_flight = usize::from(MAX_IN_FLIGHT);
    options.quotas = Quotas::none();
    serve(&Common { options }, &flags.client_id)
}

struct Common {
    options: ClientOptions,
}

impl Common {
    fn message(&self, qos: Qos) -> Message {
        let mut message = Message::new(self.options.client_id.as_str(), vec![b'x'; PAYLOAD]);
        message.qos = level(qos);
        message
    }
}

fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

impl Peer for Common {
    async fn connect(&self, client_id: &str) -> Result<Duration> {
        let mut options = self.options.clone();
        client_id.clone_into(&mut options.client_id);
        // The others keep no distance between attempts, either.
        options.connect_interval = Duration::ZERO;
        let began = Instant::now();
        let (client, _events) = Client::connect(options).await?;
        let time = began.elapsed();
        client.disconnect().await?;
        Ok(time)
    }

    async fn round_trips(&self, qos: Qos, count: usize) -> Result<Vec<Duration>> {
        let (client, mut events) = Client::connect(self.options.clone()).await?;
        client.subscribe(self.options.client_id.as_str(), level(qos)).await?;
        let message = self.message(qos);
        let mut times = Vec::with_capacity(count);
        let start = Instant::now();
        while times.len() < count && start.elapsed() < ROUND_TRIPS {
            let message = message.clone();
            let began = Instant::now();
            let delivery = client.enqueue(message).await?;
            received(&mut events).await?;
            times.push(began.elapsed());
            delivery.await?;
        }
        client.disconnect().await?;
        Ok(times)
    }

    async fn publish(&self, window: usize, messages: usize) -> Result<Duration> {
        let (client, _) = Client::connect(self.options.clone()).await?;
        let message = self.message(Qos::AtLeastOnce);
        let mut deliveries = VecDeque::with_capacity(window);
        let began = Instant::now();
        for _ in 0..messages {
            if deliveries.len() == window {
                deliveries.pop_front().context("the window is empty")?.await?;
            }
            deliveries.push_back(client.enqueue(message.clone()).await?);
        }
        for delivery in deliveries {
            delivery.await?;
        }
        let time = began.elapsed();
        client.disconnect().await?;
        Ok(time)
    }

    async fn outlive(&self, client_id: &str, backoff: Backoff, progress: &Progress) -> Result<()> {
        let mut options = self.options.clone();
        client_id.clone_into(&mut options.client_id);
        if backoff == Backoff::Equal {
            options.reconnect_minimum = Backoff::EQUAL;
            options.reconnect_maximum = Backoff::EQUAL;
            options.connect_interval = Duration::ZERO;
        }
        let (client, mut events) = Client::connect(options).await?;
        connected(&mut events).await?;
        progress.connected();
        connected(&mut events).await?;
        progress.reconnected();
        client.disconnect().await?;
        Ok(())
    }
}

async fn received(events: &mut Events) -> Result<()> {
    loop {
        match events.next().await {
            Some(Event::Message(_)) => return Ok(()),
            Some(Event::Stopped { error: Some(error) }) => return Err(error.into()),
            Some(_) => {}
            None => bail!("the client has stopped"),
        }
    }
}

async fn connected(events: &mut Events) -> Result<()> {
    loop {
        match events.next().await {
            Some(Event::Connected { .. }) => return Ok(()),
            Some(Event::Stopped { error: Some(error) }) => return Err(error.into()),
            Some(_) => {}
            None => bail!("the client has stopped"),
        }
    }
}
