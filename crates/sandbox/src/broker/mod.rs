//! The MQTT broker: the crate `mqtt5`, embedded without a TCP port. All that depends on that crate is in this module.
//!
//! One handler serves one authenticated stream; policies and AWS's limits are the gate's business.

mod access;
mod link;
mod to_client;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mqtt5::QoS;
use mqtt5::broker::BrokerConfig;
use mqtt5::broker::client_handler::ClientHandler;
use mqtt5::broker::resource_monitor::{ResourceLimits, ResourceMonitor};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::storage::{DynamicStorage, MemoryBackend, StorageBackend};
use mqtt5::broker::sys_topics::BrokerStats;
use mqtt5::broker::transport::BrokerTransport;
use mqtt5::packet::publish::PublishPacket;
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::sync::{broadcast, mpsc};

use crate::limits;
use crate::mqtt::{Version, reply};
use crate::policy::Permissions;

pub(crate) use self::to_client::ToClient;

use self::access::PolicyAccess;
use self::link::Link;

/// Bytes that wait between the gate and a handler.
const LINK_CAPACITY: usize = 64 * 1024;

/// A broker with its sessions and retained messages; a restart makes a new one.
pub(crate) struct Broker {
    config: Arc<BrokerConfig>,
    router: Arc<MessageRouter>,
    storage: Arc<DynamicStorage>,
    stats: Arc<BrokerStats>,
    monitor: Arc<ResourceMonitor>,
    /// Nothing is ever sent: a stop drops the runtime. It is kept because handlers end when it is gone.
    shutdown: broadcast::Sender<()>,
    clients: Mutex<HashMap<String, Client>>,
    next_connection: AtomicU64,
}

/// A connected client.
struct Client {
    connection: u64,
    version: Version,
    to_client: mpsc::Sender<ToClient>,
}

impl Broker {
    pub(crate) fn new() -> Self {
        let storage = Arc::new(DynamicStorage::Memory(MemoryBackend::new()));
        Broker {
            config: Arc::new(config()),
            router: Arc::new(MessageRouter::with_storage(Arc::clone(&storage))),
            storage,
            stats: Arc::new(BrokerStats::new()),
            monitor: Arc::new(ResourceMonitor::new(unlimited())),
            shutdown: broadcast::channel(1).0,
            clients: Mutex::default(),
            next_connection: AtomicU64::new(1),
        }
    }

    /// Starts a handler and returns the stream to talk MQTT to it.
    pub(crate) fn open(&self, peer: SocketAddr, permissions: Arc<Permissions>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(LINK_CAPACITY);
        let handler = ClientHandler::new(
            BrokerTransport::WebSocket(Box::new(Link::new(theirs, peer))),
            peer,
            Arc::clone(&self.config),
            Arc::clone(&self.router),
            Arc::new(PolicyAccess(permissions)),
            Some(Arc::clone(&self.storage)),
            Arc::clone(&self.stats),
            Arc::clone(&self.monitor),
            self.shutdown.subscribe(),
        );
        tokio::spawn(async move {
            if let Err(error) = handler.run().await {
                log::debug!("the broker's handler for {peer} ended: {error}");
            }
        });
        ours
    }

    /// Delivers to all subscribers, as AWS's own services do.
    pub(crate) async fn publish(&self, topic: String, payload: Vec<u8>) {
        self.router.route_message(&PublishPacket::new(topic, payload, QoS::AtLeastOnce), None).await;
    }

    /// Ends expired sessions and messages, for ever.
    pub(crate) async fn sweep(&self) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        loop {
            every_second.tick().await;
            if let Err(error) = self.storage.cleanup_expired().await {
                log::warn!("cannot clean up expired sessions: {error}");
            }
            self.router.sweep_sessions().await;
        }
    }

    /// Makes a connected client known for [`Broker::disconnect`], until the registration is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        client_id: &str,
        version: Version,
        to_client: mpsc::Sender<ToClient>,
    ) -> Registration {
        let connection = self.next_connection.fetch_add(1, Ordering::Relaxed);
        self.clients.lock().insert(client_id.to_owned(), Client { connection, version, to_client });
        Registration { broker: Arc::clone(self), client_id: client_id.to_owned(), connection }
    }

    /// Disconnects a client; false when none with this ID is connected.
    pub(crate) fn disconnect(&self, client_id: &str, reason: u8, reason_string: Option<&str>) -> bool {
        let clients = self.clients.lock();
        let Some(client) = clients.get(client_id) else { return false };
        let packet = match client.version {
            Version::V5 => reply::disconnect(reason, reason_string),
            Version::V311 => Vec::new(),
        };
        client.to_client.try_send(ToClient { packet, after_pubacks: 0, last: true }).is_ok()
    }
}

/// Keeps a client known as connected.
pub(crate) struct Registration {
    broker: Arc<Broker>,
    client_id: String,
    connection: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut clients = self.broker.clients.lock();
        // A connection that took over has put itself there in the meantime.
        if clients.get(&self.client_id).is_some_and(|client| client.connection == self.connection) {
            clients.remove(&self.client_id);
        }
    }
}

fn config() -> BrokerConfig {
    BrokerConfig {
        bind_addresses: Vec::new(),
        session_expiry_interval: Duration::from_secs(3600),
        max_packet_size: limits::PACKET,
        topic_alias_maximum: limits::TOPIC_ALIASES,
        maximum_qos: 1,
        subscription_identifier_available: false,
        max_subscriptions_per_client: limits::SUBSCRIPTIONS,
        max_outbound_inflight: limits::IN_FLIGHT,
        server_receive_maximum: Some(limits::IN_FLIGHT),
        sys_topics_enabled: false,
        ..BrokerConfig::default()
    }
}

/// The crate's defaults throttle by address and by client, which would get in the way of tests.
fn unlimited() -> ResourceLimits {
    ResourceLimits {
        max_connections: usize::MAX,
        max_connections_per_ip: usize::MAX,
        max_message_rate_per_client: 0,
        max_bandwidth_per_client: u64::MAX,
        max_connection_rate: u32::MAX,
        rate_limit_window: Duration::from_secs(1),
    }
}
