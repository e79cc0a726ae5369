//! What the sandbox remembers of the connections made to it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::policy::Principal;

/// How a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// MQTT over TLS with a client certificate.
    MutualTls,
    /// MQTT over a WebSocket.
    WebSocket,
}

/// One authenticated connection attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// How it came in.
    pub transport: Transport,
    /// Who it acts as.
    pub principal: Principal,
    /// The ALPN protocol that TLS agreed on.
    pub alpn: Option<String>,
    /// `X-Amz-Date` of a signed request.
    pub amz_date: Option<String>,
    /// The protocol level of the CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5.
    pub protocol_level: Option<u8>,
    /// The client ID of the CONNECT, or the one that was assigned.
    pub client_id: Option<String>,
    /// The code of the CONNACK that was sent.
    pub connack: Option<u8>,
    /// Whether the client has ended it by a DISCONNECT without an error.
    pub clean_disconnect: bool,
}

impl Connection {
    /// An attempt of which no more is known than how it was authenticated.
    pub(crate) fn new(
        transport: Transport,
        principal: Principal,
        alpn: Option<String>,
        amz_date: Option<String>,
    ) -> Self {
        Connection {
            transport,
            principal,
            alpn,
            amz_date,
            protocol_level: None,
            client_id: None,
            connack: None,
            clean_disconnect: false,
        }
    }
}

/// All attempts since the start.
#[derive(Debug, Default)]
pub(crate) struct ConnectionLog(Arc<Mutex<Vec<Connection>>>);

impl ConnectionLog {
    pub(crate) fn snapshot(&self) -> Vec<Connection> {
        self.0.lock().clone()
    }

    /// Adds an attempt; the entry returned fills in what is learned later.
    pub(crate) fn add(&self, connection: Connection) -> LogEntry {
        let mut log = self.0.lock();
        log.push(connection);
        LogEntry { log: Arc::clone(&self.0), index: log.len() - 1 }
    }
}

/// The place of one attempt in the log.
#[derive(Debug)]
pub(crate) struct LogEntry {
    log: Arc<Mutex<Vec<Connection>>>,
    index: usize,
}

impl LogEntry {
    pub(crate) fn update(&self, change: impl FnOnce(&mut Connection)) {
        // Entries are never removed; `get_mut` keeps a panic out of reach all the same.
        if let Some(connection) = self.log.lock().get_mut(self.index) {
            change(connection);
        }
    }
}
