//! One direction of a connection: from a socket, through what is wrong with the way, into another.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::relay::fault::{Condition, Direction, Fault};

/// Parcels on their way in one direction; with 16 KiB each, more than any bandwidth-delay product of a test.
pub(super) const QUEUE: usize = 4096;
const CHUNK: usize = 16 * 1024;

/// In how many pieces a slow link carries the bytes of a second.
const PIECES: u32 = 20;

/// What travels, and when it is due at the other end.
pub(super) struct Parcel {
    due: Instant,
    cargo: Cargo,
}

enum Cargo {
    Bytes(Vec<u8>),
    /// The sender has closed its direction.
    End,
    Reset,
}

/// The near end of a direction.
pub(super) struct Intake {
    pub(super) direction: Direction,
    pub(super) condition: watch::Receiver<Condition>,
    pub(super) queue: mpsc::Sender<Parcel>,
    /// How long each byte travels.
    pub(super) delay: Duration,
}

/// What came in: bytes, none at the end of the stream.
type Chunk = Vec<u8>;

/// The far end is gone, or the relay.
struct Gone;

impl Intake {
    /// Reads as fast as bytes come and the fault of the moment allows.
    pub(super) async fn run(mut self, source: &mut OwnedReadHalf) -> io::Result<()> {
        let mut swallowed = false;
        let mut held = None;
        loop {
            let fault = self.condition.borrow_and_update().fault;
            let lost = fault == Some(Fault::Loss(self.direction));
            if swallowed && !lost {
                return self.reset().await;
            }
            let mut left = match fault {
                Some(Fault::ResetAfter { direction, bytes }) if direction == self.direction => Some(bytes),
                _ => None,
            };
            // Until the fault changes.
            loop {
                if left == Some(0) {
                    return self.reset().await;
                }
                let Some(mut chunk) = self.next(source, fault, &mut held).await? else { break };
                if lost {
                    swallowed = true;
                    if chunk.is_empty() {
                        // Nothing more comes.
                        if self.condition.changed().await.is_err() {
                            return Ok(());
                        }
                        break;
                    }
                    continue;
                }
                if let Some(left) = &mut left {
                    chunk.truncate(*left);
                    *left -= chunk.len();
                }
                let at_end = chunk.is_empty();
                if self.forward(chunk, fault).await.is_err() || at_end {
                    return Ok(());
                }
            }
        }
    }

    /// The next bytes, or `None` when the fault has changed; bytes that were read by then are in `held`.
    async fn next(
        &mut self,
        source: &mut OwnedReadHalf,
        fault: Option<Fault>,
        held: &mut Option<Chunk>,
    ) -> io::Result<Option<Chunk>> {
        if fault == Some(Fault::BlackHole) {
            return match self.condition.changed().await {
                Ok(()) => Ok(None),
                Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            };
        }
        if let Some(chunk) = held.take() {
            return Ok(Some(chunk));
        }
        let mut chunk = Vec::with_capacity(capacity(fault));
        tokio::select! {
            biased;
            changed = self.condition.changed() => match changed {
                Ok(()) => return Ok(None),
                Err(_) => return Err(io::ErrorKind::ConnectionAborted.into()),
            },
            read = source.read_buf(&mut chunk) => { read?; }
        }
        // The fault may have come before these bytes.
        if self.condition.has_changed().unwrap_or(true) {
            *held = Some(chunk);
            return Ok(None);
        }
        Ok(Some(chunk))
    }

    async fn forward(&self, chunk: Chunk, fault: Option<Fault>) -> Result<(), Gone> {
        match fault {
            // The end travels as long as the bytes before it.
            _ if chunk.is_empty() => self.push(Cargo::End).await,
            Some(Fault::Chop) => {
                for byte in chunk {
                    self.push(Cargo::Bytes(vec![byte])).await?;
                }
                Ok(())
            }
            Some(Fault::Slow { bytes_per_second }) => {
                let share = chunk.len() as f64 / f64::from(bytes_per_second.max(1));
                sleep(Duration::from_secs_f64(share)).await;
                self.push(Cargo::Bytes(chunk)).await
            }
            _ => self.push(Cargo::Bytes(chunk)).await,
        }
    }

    async fn reset(&self) -> io::Result<()> {
        // Without a far end the connection is over anyway.
        let _ = self.push(Cargo::Reset).await;
        Ok(())
    }

    async fn push(&self, cargo: Cargo) -> Result<(), Gone> {
        let parcel = Parcel { due: Instant::now() + self.delay, cargo };
        self.queue.send(parcel).await.map_err(|_| Gone)
    }
}

/// How much to read at once.
fn capacity(fault: Option<Fault>) -> usize {
    match fault {
        Some(Fault::Slow { bytes_per_second }) => {
            usize::try_from(bytes_per_second / PIECES).unwrap_or(CHUNK).clamp(1, CHUNK)
        }
        _ => CHUNK,
    }
}

/// The far end of a direction; an error is the connection's end.
pub(super) async fn send(
    mut queue: mpsc::Receiver<Parcel>,
    sink: &mut OwnedWriteHalf,
    passed: &AtomicU64,
) -> io::Result<()> {
    while let Some(Parcel { due, cargo }) = queue.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        match cargo {
            Cargo::Bytes(bytes) => {
                // Before whoever gets them can ask for the count.
                passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                sink.write_all(&bytes).await?;
            }
            Cargo::End => return sink.shutdown().await,
            Cargo::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
    Ok(())
}
