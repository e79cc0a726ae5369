use std::io;
use std::process::exit;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use serde_json::json;
use tokio::runtime::Builder;

use crate::{Backoff, Command, Qos};

/// A client library, as the benchmark asks for it.
#[expect(async_fn_in_trait, reason = "the futures stay on the thread that made them")]
pub trait Peer {
    /// Connects as `client_id`, disconnects, and says how long CONNACK took.
    async fn connect(&self, client_id: &str) -> Result<Duration>;

    /// So many round trips, one after the other.
    async fn round_trips(&self, qos: Qos, count: usize) -> Result<Vec<Duration>>;

    /// Publishes `messages` with at most `window` of them unacknowledged, and says how long that took.
    async fn publish(&self, window: usize, messages: usize) -> Result<Duration>;

    /// Connects as `client_id` and waits until the connection has been lost and made again; tells `progress` of
    /// both connections as soon as CONNACK is there.
    async fn outlive(&self, client_id: &str, backoff: Backoff, progress: &Progress) -> Result<()>;
}

/// Where a client that outlives its broker says so.
#[derive(Debug)]
pub struct Progress(());

impl Progress {
    /// The first connection stands.
    pub fn connected(&self) {
        println!("{}", json!({ "connected": true }));
    }

    /// The second connection stands.
    pub fn reconnected(&self) {
        println!("{}", json!({ "reconnected": true }));
    }
}

/// Does what stdin says until it ends. One thread, as in the samples and in the examples of rumqttc.
///
/// # Errors
///
/// Whatever the peer could not do, or the reader of its answers.
pub fn serve(peer: &impl Peer, client_id: &str) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for line in commands() {
        let answer = runtime.block_on(perform(peer, client_id, line.parse()?))?;
        println!("{answer}");
    }
    Ok(())
}

/// The lines of stdin. Their end ends the process, whatever it is doing: whoever started it is gone.
fn commands() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more when the peer has failed, and then it ends by itself.
        io::stdin().lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        exit(0);
    });
    receiver
}

async fn perform(peer: &impl Peer, client_id: &str, command: Command) -> Result<serde_json::Value> {
    let seconds = |times: Vec<Duration>| times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
    Ok(match command {
        Command::Connect(count) => {
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                times.push(peer.connect(client_id).await?);
            }
            json!({ "seconds": seconds(times) })
        }
        Command::RoundTrips(qos, count) => json!({ "seconds": seconds(peer.round_trips(qos, count).await?) }),
        Command::Publish { window, messages } => {
            json!({ "seconds": peer.publish(window, messages).await?.as_secs_f64() })
        }
        Command::Outlive(backoff, clients) => {
            let progress = Progress(());
            let names: Vec<_> = (0..clients).map(|number| format!("{client_id}-{number}")).collect();
            try_join_all(names.iter().map(|name| peer.outlive(name, backoff, &progress))).await?;
            json!({ "done": true })
        }
    })
}
