//! A TCP relay in front of a local port, which makes the way longer or breaks it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// Chunks on their way in one direction; with 16 KiB each, more than any bandwidth-delay product of a test.
const QUEUE: usize = 4096;
const CHUNK: usize = 16 * 1024;

/// The settings of a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long each byte travels, in each direction. A round trip takes twice as long.
    pub one_way_delay: Duration,
}

/// Relays TCP connections to a port of 127.0.0.1. It runs on a thread of its own and stops on drop.
pub struct Relay {
    port: u16,
    accepted: Arc<AtomicUsize>,
    /// Counts the cuts; connections of an earlier count are over.
    cuts: watch::Sender<usize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target_port));
        let accepted = Arc::new(AtomicUsize::new(0));
        let (cuts, cut) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let counter = Arc::clone(&accepted);
        let serve = move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, target, options, counter, cut) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("relay".to_owned())
            .spawn(serve)
            .context("cannot start a thread")?;
        Ok(Relay { port, accepted, cuts, stop: Some(stop), thread: Some(thread) })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Resets all live connections, at both ends; what is on its way is lost. New connections are served.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
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

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    options: Options,
    accepted: Arc<AtomicUsize>,
    cut: watch::Receiver<usize>,
) {
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                accepted.fetch_add(1, Ordering::Relaxed);
                let mut cut = cut.clone();
                // Only cuts from now on are meant for this connection.
                cut.mark_unchanged();
                tokio::spawn(async move {
                    if let Err(error) = relay(client, target, options, cut).await {
                        log::debug!("relay: {peer}: {error}");
                    }
                });
            }
            Err(error) => {
                log::warn!("relay: cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn relay(
    client: TcpStream,
    target: SocketAddr,
    options: Options,
    mut cut: watch::Receiver<usize>,
) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // The halves live outside of the futures: after a cut both are needed again.
    let (mut client_reads, mut client_writes) = client.into_split();
    let (mut server_reads, mut server_writes) = server.into_split();
    let (up_sender, up_receiver) = mpsc::channel(QUEUE);
    let (down_sender, down_receiver) = mpsc::channel(QUEUE);
    let both = async {
        tokio::try_join!(
            receive(&mut client_reads, up_sender, options.one_way_delay),
            send(up_receiver, &mut server_writes),
            receive(&mut server_reads, down_sender, options.one_way_delay),
            send(down_receiver, &mut client_writes),
        )
    };
    let result = tokio::select! {
        result = both => result.map(drop),
        changed = cut.changed() => {
            if changed.is_err() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::ConnectionReset)) }
        }
    };
    if result.is_err() {
        // With a linger time of zero, closing sends a reset.
        let streams = [client_reads.reunite(client_writes), server_reads.reunite(server_writes)];
        for stream in streams.into_iter().flatten() {
            stream.set_zero_linger()?;
        }
    }
    result
}

/// Reads as fast as bytes come, and notes when they are due at the other end.
async fn receive(
    source: &mut OwnedReadHalf,
    queue: mpsc::Sender<(Instant, Vec<u8>)>,
    delay: Duration,
) -> io::Result<()> {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let count = source.read_buf(&mut chunk).await?;
        // The end travels as long as the bytes before it.
        if queue.send((Instant::now() + delay, chunk)).await.is_err() || count == 0 {
            return Ok(());
        }
    }
}

async fn send(mut queue: mpsc::Receiver<(Instant, Vec<u8>)>, sink: &mut OwnedWriteHalf) -> io::Result<()> {
    while let Some((due, chunk)) = queue.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if chunk.is_empty() {
            return sink.shutdown().await;
        }
        sink.write_all(&chunk).await?;
    }
    Ok(())
}
