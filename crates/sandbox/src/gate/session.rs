//! What both directions of a connection share.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::connections::LogEntry;
use crate::gate::filter::covers;
use crate::mqtt::Version;
use crate::policy::Permissions;

/// A connection whose CONNECT was admitted.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    /// Whether the client left its ID to the server.
    pub(crate) assigned: bool,
    /// The one that holds, in seconds.
    pub(crate) keep_alive: u16,
    pub(crate) permissions: Arc<Permissions>,
    pub(crate) subscriptions: Mutex<Subscriptions>,
    pub(crate) entry: LogEntry,
}

/// What a client has subscribed to, as far as the gate knows.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// Those of this connection.
    pub(crate) filters: HashSet<String>,
    /// Whether there may be more, from before the session was resumed.
    pub(crate) resumed: bool,
}

impl Subscriptions {
    /// Whether AWS IoT would deliver a message of this topic, or `a/#` only seems to cover `a`.
    pub(crate) fn cover(&self, topic: &str) -> bool {
        self.resumed || self.filters.iter().any(|filter| covers(filter, topic))
    }
}

/// Why the gate ends a connection: a reason code of MQTT 5, which 3.1.1 clients do not get to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: u8,
    /// For the log.
    pub(crate) why: &'static str,
}

impl Closing {
    pub(crate) fn new(reason: u8, why: &'static str) -> Self {
        Closing { reason, why }
    }
}
