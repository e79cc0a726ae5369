//! One connection of paho's, and the rules that keep paho safe.
//!
//! paho C is robust on a connection that works and fragile around its edges. The session keeps to the paths that
//! hold:
//!
//! - a paho client makes one connection. A second one would start with what the first left behind: events of the
//!   old socket, and publishes in paho's queue, which would overtake the older ones that are sent again;
//! - it is dropped on a thread of its own, never with a connect under way and never right after one: the last drop
//!   joins paho's threads, and from one of them, or too early, it waits for ever;
//! - one client that never connects lives as long as the process: paho tears its threads down with the last
//!   client, which takes a second and leaks descriptors;
//! - its writes never fail: see [`crate::link`];
//! - `automatic_reconnect` and `delete_oldest_messages` stay off: both touch freed or uninitialised memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use paho_mqtt as paho;

use super::options::{SessionOptions, disconnect_options, failed};
use crate::error::Error;
use crate::link::socket::LinkSocket;
use crate::options::ClientOptions;
use crate::reason::ReasonCode;
use crate::version::MqttVersion;

/// The time that paho needs after the end of a connection, or of an attempt, before the client may be dropped.
const SETTLE_TIME: Duration = Duration::from_millis(20);

/// The time that the disposal of a client waits for paho. Its link has ended by then, so a connect under way fails
/// within milliseconds; this bounds what cannot happen.
const DISPOSAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The owner of a paho client, for one connection.
pub(crate) struct Session {
    /// `None` only while being dropped.
    client: Option<paho::AsyncClient>,
    events: paho::AsyncReceiver<paho::Event>,
    pub(super) version: MqttVersion,
    link: LinkSocket,
    /// The connect that was begun and whose outcome nobody has seen.
    pending: Option<paho::ConnectToken>,
}

impl Session {
    /// Connects through the link that has `link` as its socket. Dropping the future is fine.
    pub(crate) async fn connect(options: SessionOptions, link: LinkSocket) -> Result<Self, Error> {
        let SessionOptions { create, connect, version } = options;
        keep_paho_running();
        let mut client = paho::AsyncClient::new(create).map_err(failed)?;
        let events = client.get_event_stream(None);
        let token = client.connect(connect);
        let mut session = Self { client: Some(client), events, version, link, pending: Some(token.clone()) };
        let outcome = token.await;
        session.pending = None;
        outcome.map(|_| session).map_err(failed)
    }

    /// Resolves at the end of the connection, with the broker's DISCONNECT if it sent one.
    pub(crate) async fn ended(&self) -> Option<Disconnect> {
        loop {
            // The sender is held by the client's callbacks, so it lives as long as `self`.
            match self.events.recv().await {
                // The link hands no message to paho.
                Ok(paho::Event::Connected | paho::Event::Message(_)) => {}
                Ok(paho::Event::Disconnected { props, reason_code }) => {
                    let code = ReasonCode::new(reason_code as u8, self.version);
                    return Some(Disconnect { code, reason_string: reason_string(&props) });
                }
                Ok(paho::Event::ConnectionLost | paho::Event::Shutdown) | Err(_) => return None,
            }
        }
    }

    /// Sends DISCONNECT. The caller has seen its publishes acknowledged: paho's own wait for them comes in steps
    /// of 3 s.
    pub(crate) async fn disconnect(&self, options: &ClientOptions) -> Result<(), Error> {
        let outcome = self.client().disconnect(disconnect_options(options)).await;
        outcome.map(drop).map_err(failed)
    }

    pub(super) fn client(&self) -> &paho::AsyncClient {
        self.client.as_ref().expect("only drop() takes the client")
    }
}

/// A DISCONNECT of the broker's (MQTT 5.0 §3.14).
pub(crate) struct Disconnect {
    pub(crate) code: ReasonCode,
    pub(crate) reason_string: Option<String>,
}

/// The reason string among the properties of an answer.
pub(super) fn reason_string(properties: &paho::Properties) -> Option<String> {
    properties.get_string(paho::PropertyCode::ReasonString)
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let (pending, link) = (self.pending.take(), self.link.clone());
            dispose(Disposal { client, pending, link, since: Instant::now() });
        }
    }
}

struct Disposal {
    client: paho::AsyncClient,
    pending: Option<paho::ConnectToken>,
    link: LinkSocket,
    since: Instant,
}

impl Disposal {
    fn run(self) {
        self.link.close(DISPOSAL_TIMEOUT);
        if let Some(pending) = self.pending {
            let _ = pending.wait_for(DISPOSAL_TIMEOUT);
            thread::sleep(SETTLE_TIME);
        } else if let Some(rest) = SETTLE_TIME.checked_sub(self.since.elapsed()) {
            thread::sleep(rest);
        }
        if self.client.is_connected() {
            // Its link has ended, and paho has not noticed yet.
            let _ = self.client.disconnect(None).wait_for(DISPOSAL_TIMEOUT);
            thread::sleep(SETTLE_TIME);
        }
        drop(self.client);
    }
}

/// Hands a client to the thread that disposes of clients.
fn dispose(disposal: Disposal) {
    static DISPOSER: OnceLock<mpsc::Sender<Disposal>> = OnceLock::new();
    let disposer = DISPOSER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Disposal>();
        let spawned = thread::Builder::new().name("paho-disposer".to_owned()).spawn(move || {
            for disposal in receiver {
                // The next one has to be disposed of all the same.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| disposal.run())) {
                    log::error!("{}", Error::panicked("disposal of an MQTT client", &*panic));
                }
            }
        });
        if let Err(error) = spawned {
            log::error!("cannot start the thread that disposes of MQTT clients: {error}");
        }
        sender
    });
    if let Err(mpsc::SendError(disposal)) = disposer.send(disposal) {
        // Without that thread the client is leaked: a leak is better than a process that hangs.
        std::mem::forget(disposal.client);
    }
}

/// Makes the client that never connects.
fn keep_paho_running() {
    static KEEPER: OnceLock<Option<paho::AsyncClient>> = OnceLock::new();
    KEEPER.get_or_init(|| {
        let options = paho::CreateOptionsBuilder::new()
            .server_uri("tcp://127.0.0.1:1")
            .client_id("keeper")
            .persistence(None)
            .finalize();
        paho::AsyncClient::new(options).inspect_err(|error| log::warn!("no keeper client: {error}")).ok()
    });
}
