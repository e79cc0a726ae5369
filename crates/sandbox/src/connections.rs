//! What the sandbox remembers of the connections made to it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::excerpt::excerpt;
use crate::limits;
use crate::policy::Principal;

/// How a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// MQTT over TLS with a client certificate.
    MutualTls,
    /// MQTT over TLS without a client certificate, for a custom authorizer.
    Tls,
    /// MQTT over a WebSocket.
    WebSocket,
}

/// One connection attempt that TLS and HTTP let through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// How it came in.
    pub transport: Transport,
    /// Who it acts as; with [`Principal::Authorizer`] it is the CONNECT that decides whether it may. An authenticated
    /// identity of Cognito is [`Principal::CognitoIdentity`], although its role has to allow what it does as well.
    pub principal: Principal,
    /// The ALPN protocol that TLS agreed on.
    pub alpn: Option<String>,
    /// `X-Amz-Date` of a signed request.
    pub amz_date: Option<String>,
    /// The access key ID that a signed request was signed with.
    pub access_key_id: Option<String>,
    /// The protocol level of the CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5.
    pub protocol_level: Option<u8>,
    /// The client ID of the CONNECT, or the one that was assigned. Of one that is longer than a client ID may be, only
    /// the beginning is remembered, with `…` after it.
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
            access_key_id: None,
            protocol_level: None,
            client_id: None,
            connack: None,
            clean_disconnect: false,
        }
    }
}

/// How many attempts are remembered.
const CAPACITY: usize = 10_000;

/// The latest attempts.
#[derive(Debug, Default)]
pub(crate) struct ConnectionLog(Arc<Mutex<Latest>>);

#[derive(Debug, Default)]
struct Latest {
    /// How many attempts were before those that are kept.
    forgotten: usize,
    kept: VecDeque<Connection>,
}

impl ConnectionLog {
    pub(crate) fn snapshot(&self) -> Vec<Connection> {
        self.0.lock().kept.iter().cloned().collect()
    }

    /// Adds an attempt; the entry returned fills in what is learned later.
    pub(crate) fn add(&self, connection: Connection) -> LogEntry {
        let mut log = self.0.lock();
        if log.kept.len() == CAPACITY {
            log.kept.pop_front();
            log.forgotten += 1;
        }
        log.kept.push_back(connection);
        LogEntry { log: Arc::clone(&self.0), number: log.forgotten + log.kept.len() - 1 }
    }
}

/// The place of one attempt in the log.
#[derive(Debug)]
pub(crate) struct LogEntry {
    log: Arc<Mutex<Latest>>,
    /// Counts from the first attempt of all.
    number: usize,
}

impl LogEntry {
    /// What a CONNECT says. A client ID may have 64 KiB on its way to being refused.
    pub(crate) fn names(&self, protocol_level: u8, client_id: &str) {
        let client_id = excerpt(client_id, limits::CLIENT_ID);
        self.update(|connection| {
            (connection.protocol_level, connection.client_id) = (Some(protocol_level), Some(client_id));
        });
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Connection)) {
        let mut log = self.log.lock();
        let index = self.number.checked_sub(log.forgotten);
        // An old one may be forgotten by now.
        if let Some(connection) = index.and_then(|index| log.kept.get_mut(index)) {
            change(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept() {
        let log = ConnectionLog::default();
        let add = || log.add(Connection::new(Transport::MutualTls, Principal::Device, None, None));
        let (first, second) = (add(), add());
        let mut last = add();
        for _ in 3..=CAPACITY {
            last = add();
        }
        for (entry, code) in [(first, 1), (second, 2), (last, 3)] {
            entry.update(|connection| connection.connack = Some(code));
        }
        let kept = log.snapshot();
        assert_eq!(kept.len(), CAPACITY);
        assert_eq!((kept[0].connack, kept[CAPACITY - 1].connack), (Some(2), Some(3)));
        assert!(kept[1..CAPACITY - 1].iter().all(|connection| connection.connack.is_none()));
    }

    #[test]
    fn an_attempt_takes_little_memory_whatever_the_client_sends() {
        let log = ConnectionLog::default();
        let long = "x".repeat(65_535);
        for _ in 0..CAPACITY {
            log.add(Connection::new(Transport::MutualTls, Principal::Device, None, None)).names(5, &long);
        }
        let kept = log.snapshot();
        let bytes: usize = kept.iter().map(|connection| connection.client_id.as_ref().unwrap().len()).sum();
        assert!(kept.len() == CAPACITY && bytes <= CAPACITY * 131, "{bytes} bytes of client IDs");
        let longest = log.add(Connection::new(Transport::MutualTls, Principal::Device, None, None));
        longest.names(5, &long[..128]);
        assert_eq!(log.snapshot()[CAPACITY - 1].client_id.as_deref(), Some(&long[..128]), "it may connect");
    }
}
