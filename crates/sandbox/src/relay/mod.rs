//! A TCP relay in front of a local port, which makes the way longer or breaks it.

mod connection;
mod fault;
mod roster;
mod way;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use self::fault::{Direction, Fault, Reach, Side};

use self::connection::Traffic;
use self::roster::Roster;
use crate::shortage::Explained;

/// The settings of a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long each byte travels, in each direction. A round trip takes twice as long.
    pub one_way_delay: Duration,
}

/// Relays TCP connections to a port of 127.0.0.1. It runs on a thread of its own and stops on drop.
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the handle and the relay's thread share.
#[derive(Debug, Default)]
struct Shared {
    target_port: AtomicU16,
    accepted: AtomicUsize,
    roster: Roster,
    traffic: Traffic,
}

impl Shared {
    fn target_port(&self) -> u16 {
        self.target_port.load(Ordering::Relaxed)
    }
}

impl Relay {
    /// Listens on a free port of 127.0.0.1 and connects to `target_port` there for each connection that comes in.
    ///
    /// # Errors
    ///
    /// When no socket or no thread is to be had.
    pub fn start(target_port: u16, options: Options) -> anyhow::Result<Relay> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime for the relay")?;
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen for the relay")?;
        listener.set_nonblocking(true).context("cannot listen for the relay")?;
        let port = listener.local_addr().context("cannot learn the relay's port")?.port();
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener).context("cannot listen for the relay")?
        };
        let shared = Arc::new(Shared { target_port: AtomicU16::new(target_port), ..Shared::default() });
        let (stop, stopped) = oneshot::channel();
        let accepting = accept(listener, options.one_way_delay, Arc::clone(&shared));
        let serve = move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = accepting => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(serve)
            .context("cannot start a thread")?;
        Ok(Relay { port, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many bytes have been passed on in one direction since the start, over all connections.
    pub fn bytes(&self, direction: Direction) -> u64 {
        let Traffic { to_server, to_client } = &self.shared.traffic;
        match direction {
            Direction::ToServer => to_server.load(Ordering::Relaxed),
            Direction::ToClient => to_client.load(Ordering::Relaxed),
        }
    }

    /// Leads connections to come to another port.
    pub fn redirect(&self, target_port: u16) {
        self.shared.target_port.store(target_port, Ordering::Relaxed);
    }

    /// Has connections suffer from `fault` from now on, instead of what they suffered from before. One that a fault has
    /// reset or closed stays so.
    pub fn inject(&self, reach: Reach, fault: Fault) {
        self.shared.roster.change(reach, Some(fault));
    }

    /// Ends all faults. Connections to come are served; of the live ones those that cannot go on are reset ([`Fault`]
    /// says which).
    pub fn heal(&self) {
        self.shared.roster.change(Reach::All, None);
    }

    /// Resets all live connections, at both ends; what is on its way is lost. New connections are served.
    pub fn cut(&self) {
        self.inject(Reach::Live, Fault::Reset);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic on the thread was printed there.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Relay")
            .field("port", &self.port)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, one_way_delay: Duration, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                let condition = shared.roster.admit();
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, shared.target_port()));
                    let served = connection::serve(client, target, one_way_delay, condition, &shared.traffic);
                    if let Err(error) = served.await {
                        log::debug!("relay: {peer}: {error}");
                    }
                });
            }
            Err(error) => {
                log::warn!("relay: cannot accept a connection: {}", Explained(&error));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
