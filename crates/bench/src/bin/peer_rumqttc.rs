//! rumqttc as a peer of the benchmark, with its MQTT 5 client and rustls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::{
    Backoff, Flags, KEEP_ALIVE, MAX_IN_FLIGHT, PAYLOAD, Peer, Progress, Qos, ROUND_TRIPS, TlsFiles, serve,
};
use clap::Parser;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

/// rumqttc has no back-off: it tries again when it is polled. This is as often as it can be done without taking the
/// processor from the others.
const PAUSE: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let flags = Flags::parse();
    let tls = flags.tls.as_ref().context("--ca-file, --cert and --key are required")?;
    let transport = Transport::Tls(TlsConfiguration::Rustls(config(tls)?));
    let (host, port, topic) = (flags.host.clone(), flags.port, flags.client_id.clone());
    serve(&Rumqttc { host, port, topic, transport }, &flags.client_id)
}

fn config(tls: &TlsFiles) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&tls.ca_file)?)?;
    let chain = CertificateDer::pem_file_iter(&tls.cert)?.collect::<Result<_, _>>()?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&tls.key)?)?;
    Ok(Arc::new(config))
}

struct Rumqttc {
    host: String,
    port: u16,
    topic: String,
    transport: Transport,
}

impl Rumqttc {
    fn client(&self, client_id: &str) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new(client_id, self.host.as_str(), self.port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_transport(self.transport.clone());
        options.set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        AsyncClient::new(options, usize::from(MAX_IN_FLIGHT))
    }

    async fn open(&self) -> Result<(AsyncClient, EventLoop)> {
        let (client, mut events) = self.client(&self.topic);
        until(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await?;
        Ok((client, events))
    }
}

/// Polls until such a packet has come in.
async fn until(events: &mut EventLoop, wanted: impl Fn(&Packet) -> bool) -> Result<()> {
    loop {
        match events.poll().await? {
            Event::Incoming(Packet::Disconnect(_)) => bail!("the broker has disconnected"),
            Event::Incoming(packet) if wanted(&packet) => return Ok(()),
            _ => {}
        }
    }
}

async fn close(client: AsyncClient, mut events: EventLoop) -> Result<()> {
    client.disconnect().await?;
    // The broker answers a DISCONNECT by closing the connection.
    while events.poll().await.is_ok() {}
    Ok(())
}

impl Peer for Rumqttc {
    async fn connect(&self, client_id: &str) -> Result<Duration> {
        let began = Instant::now();
        let (client, mut events) = self.client(client_id);
        until(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await?;
        let time = began.elapsed();
        close(client, events).await?;
        Ok(time)
    }

    async fn round_trips(&self, qos: Qos, count: usize) -> Result<Vec<Duration>> {
        let level = match qos {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce => QoS::AtLeastOnce,
        };
        let (client, mut events) = self.open().await?;
        client.subscribe(self.topic.as_str(), level).await?;
        until(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await?;
        let mut times = Vec::with_capacity(count);
        let start = Instant::now();
        while times.len() < count && start.elapsed() < ROUND_TRIPS {
            let payload = vec![b'x'; PAYLOAD];
            let began = Instant::now();
            client.publish(self.topic.as_str(), level, false, payload).await?;
            let (mut came, mut acknowledged) = (None, qos == Qos::AtMostOnce);
            while came.is_none() || !acknowledged {
                match events.poll().await? {
                    Event::Incoming(Packet::Publish(_)) => came = Some(began.elapsed()),
                    Event::Incoming(Packet::PubAck(_)) => acknowledged = true,
                    _ => {}
                }
            }
            times.extend(came);
        }
        close(client, events).await?;
        Ok(times)
    }

    async fn publish(&self, window: usize, messages: usize) -> Result<Duration> {
        let (client, mut events) = self.open().await?;
        let window = Semaphore::new(window);
        let publishing = async {
            for _ in 0..messages {
                // The acknowledgement frees it.
                window.acquire().await?.forget();
                client.publish(self.topic.as_str(), QoS::AtLeastOnce, false, vec![b'x'; PAYLOAD]).await?;
            }
            anyhow::Ok(())
        };
        let acknowledging = async {
            for _ in 0..messages {
                until(&mut events, |packet| matches!(packet, Packet::PubAck(_))).await?;
                window.add_permits(1);
            }
            anyhow::Ok(())
        };
        let began = Instant::now();
        tokio::try_join!(publishing, acknowledging)?;
        let time = began.elapsed();
        close(client, events).await?;
        Ok(time)
    }

    async fn outlive(&self, client_id: &str, backoff: Backoff, progress: &Progress) -> Result<()> {
        let (client, mut events) = self.client(client_id);
        until(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await?;
        progress.connected();
        while until(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await.is_err() {
            let pause = match backoff {
                Backoff::Default => PAUSE,
                Backoff::Equal => Backoff::EQUAL.mul_f64(fastrand::f64()),
            };
            tokio::time::sleep(pause).await;
        }
        progress.reconnected();
        close(client, events).await
    }
}
