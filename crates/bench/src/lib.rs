//! What the Rust peers of the benchmark share: their flags, what they are told and how they answer.
//!
//! A peer is a client library behind a small program. It reads one command a line from stdin, answers each with lines
//! of JSON on stdout, and ends with its stdin, so that none outlives whoever started it. The peers for the official
//! clients, `crates/testkit/python/bench.py` and `crates/testkit/node/bench.mjs`, keep to the same:
//!
//! | command | does | answers |
//! |---|---|---|
//! | `connect N` | connects and disconnects, N times | `{"seconds": [..]}`, one for each |
//! | `round-trips QOS N` | publishes to a topic that it is subscribed to, N times or for 2 s | `{"seconds": [..]}`, one for each |
//! | `publish WINDOW N` | publishes N messages of QoS 1, at most WINDOW of them unacknowledged | `{"seconds": S}` |
//! | `outlive BACKOFF N` | connects N clients and waits until each has lost its broker and found it again | `{"connected": true}` and later `{"reconnected": true}` for each client, then `{"done": true}` |

mod command;
mod serve;

use std::path::PathBuf;
use std::time::Duration;

pub use command::{Backoff, Command, Qos};
pub use serve::{Peer, Progress, serve};

/// Bytes of each message.
pub const PAYLOAD: usize = 128;

/// Unacknowledged messages that each client allows, whatever the window of the measurement.
pub const MAX_IN_FLIGHT: u16 = 1000;

/// For how long round trips are made; those of the official clients may take 40 ms each.
pub const ROUND_TRIPS: Duration = Duration::from_secs(2);

/// Keep-alive, the same for all: long enough that no PINGREQ disturbs.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1200);

/// The flags of every peer.
#[derive(Debug, clap::Parser)]
pub struct Flags {
    /// The broker's name
    #[arg(long)]
    pub host: String,
    /// The broker's port
    #[arg(long)]
    pub port: u16,
    /// The client ID, which is also the topic
    #[arg(long)]
    pub client_id: String,
    /// Without these the connection is plain TCP
    #[command(flatten)]
    pub tls: Option<TlsFiles>,
}

/// What mutual TLS needs, as PEM.
#[derive(Debug, Clone, clap::Args)]
pub struct TlsFiles {
    /// The CA to trust
    #[arg(long, required = false)]
    pub ca_file: PathBuf,
    /// The client certificate
    #[arg(long, required = false)]
    pub cert: PathBuf,
    /// Its private key
    #[arg(long, required = false)]
    pub key: PathBuf,
}
