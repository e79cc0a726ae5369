//! paho-mqtt alone as a peer of the benchmark, over plain TCP: what the client of this project builds on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::{Backoff, Flags, KEEP_ALIVE, MAX_IN_FLIGHT, PAYLOAD, Peer, Progress, Qos, ROUND_TRIPS, serve};
use clap::Parser;
use paho_mqtt as paho;

fn main() -> Result<()> {
    let flags = Flags::parse();
    if flags.tls.is_some() {
        bail!("this build of paho has no TLS: --ca-file, --cert and --key have no meaning here");
    }
    // paho waits a second when its last client goes (`crates/iot-client/src/paho/session.rs`).
    let _keeper = client("tcp://127.0.0.1:1".to_owned(), "keeper")?;
    serve(
        &Paho { uri: format!("tcp://{}:{}", flags.host, flags.port), topic: flags.client_id.clone() },
        &flags.client_id,
    )
}

struct Paho {
    uri: String,
    topic: String,
}

fn client(uri: String, client_id: &str) -> Result<paho::AsyncClient> {
    let options = paho::CreateOptionsBuilder::new()
        .server_uri(uri)
        .client_id(client_id)
        .mqtt_version(paho::MQTT_VERSION_5)
        .persistence(None)
        .max_buffered_messages(10 * i32::from(MAX_IN_FLIGHT))
        .finalize();
    Ok(paho::AsyncClient::new(options)?)
}

impl Paho {
    async fn open(&self) -> Result<paho::AsyncClient> {
        let client = client(self.uri.clone(), &self.topic)?;
        client.connect(options()).await?;
        Ok(client)
    }

    fn message(&self, qos: paho::QoS) -> paho::Message {
        paho::Message::new(self.topic.as_str(), vec![b'x'; PAYLOAD], qos)
    }
}

fn options() -> paho::ConnectOptions {
    paho::ConnectOptionsBuilder::new_v5()
        .clean_start(true)
        .keep_alive_interval(KEEP_ALIVE)
        .max_inflight(MAX_IN_FLIGHT.into())
        .finalize()
}

/// Disconnects; right after that the drop would hang (`crates/iot-client/src/paho/session.rs`).
async fn close(client: paho::AsyncClient) -> Result<()> {
    client.disconnect(None).await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(client);
    Ok(())
}

impl Peer for Paho {
    async fn connect(&self, client_id: &str) -> Result<Duration> {
        let began = Instant::now();
        let client = client(self.uri.clone(), client_id)?;
        client.connect(options()).await?;
        let time = began.elapsed();
        close(client).await?;
        Ok(time)
    }

    async fn round_trips(&self, qos: Qos, count: usize) -> Result<Vec<Duration>> {
        let level = match qos {
            Qos::AtMostOnce => paho::QoS::AtMostOnce,
            Qos::AtLeastOnce => paho::QoS::AtLeastOnce,
        };
        let mut client = client(self.uri.clone(), &self.topic)?;
        let messages = client.get_stream(None);
        client.connect(options()).await?;
        client.subscribe(self.topic.as_str(), level).await?;
        let mut times = Vec::with_capacity(count);
        let start = Instant::now();
        while times.len() < count && start.elapsed() < ROUND_TRIPS {
            let message = self.message(level);
            let began = Instant::now();
            let token = client.publish(message);
            messages.recv().await?.context("the connection was lost")?;
            times.push(began.elapsed());
            token.await?;
        }
        close(client).await?;
        Ok(times)
    }

    async fn publish(&self, window: usize, messages: usize) -> Result<Duration> {
        let client = self.open().await?;
        let mut tokens = VecDeque::with_capacity(window);
        let began = Instant::now();
        for _ in 0..messages {
            if tokens.len() == window {
                tokens.pop_front().context("the window is empty")?.await?;
            }
            tokens.push_back(client.publish(self.message(paho::QoS::AtLeastOnce)));
        }
        for token in tokens {
            token.await?;
        }
        let time = began.elapsed();
        close(client).await?;
        Ok(time)
    }

    async fn outlive(&self, _: &str, _: Backoff, _: &Progress) -> Result<()> {
        bail!("paho's own reconnection uses memory that it has freed; it is not measured")
    }
}
