//! One connection through the relay.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::relay::fault::{Condition, Direction, Fault, Over, Side};
use crate::relay::way::{Intake, QUEUE, send};

/// How long the ends may take to close a connection that the relay has closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that were passed on, over all connections.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) to_server: AtomicU64,
    pub(super) to_client: AtomicU64,
}

/// How a connection ends.
enum Ending {
    /// Both ends have closed it.
    Closed,
    Fault(Over),
    HalfOpen(Side),
    /// The relay is gone.
    Abandoned,
}

/// Relays between `client` and `target` until the connection is over.
pub(super) async fn serve(
    client: TcpStream,
    target: SocketAddr,
    one_way_delay: Duration,
    mut condition: watch::Receiver<Condition>,
    traffic: &Traffic,
) -> io::Result<()> {
    let server = match open(target, &mut condition).await {
        Ok(server) => server,
        // An end is as good as a reset for one that nothing was said on.
        Err(error) => {
            client.set_zero_linger()?;
            return Err(error);
        }
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // The halves live outside of the futures: after a fault both are needed again.
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (up, upward) = mpsc::channel(QUEUE);
    let (down, downward) = mpsc::channel(QUEUE);
    let intake =
        |direction, queue| Intake { direction, condition: condition.clone(), queue, delay: one_way_delay };
    let both = async {
        tokio::try_join!(
            intake(Direction::ToServer, up).run(&mut from_client),
            send(upward, &mut to_server, &traffic.to_server),
            intake(Direction::ToClient, down).run(&mut from_server),
            send(downward, &mut to_client, &traffic.to_client),
        )
    };
    let ending = tokio::select! {
        biased;
        ending = ending(condition.clone()) => ending,
        result = both => result.map_or(Ending::Fault(Over::Reset), |_| Ending::Closed),
    };
    let (client, server) = (End(from_client, to_client), End(from_server, to_server));
    match ending {
        Ending::Closed | Ending::Abandoned => Ok(()),
        Ending::Fault(Over::Reset) => client.reset().and(server.reset()),
        Ending::Fault(Over::End) => {
            tokio::join!(client.close(), server.close());
            Ok(())
        }
        Ending::HalfOpen(side) => {
            let (closed, kept) = match side {
                Side::Client => (client, server),
                Side::Server => (server, client),
            };
            let closing = async {
                closed.close().await;
                future::pending::<()>().await
            };
            tokio::select! {
                () = closing => {}
                () = over(condition) => {}
            }
            kept.reset()
        }
    }
}

/// Connects to the server, once nothing is in the way.
async fn open(target: SocketAddr, condition: &mut watch::Receiver<Condition>) -> io::Result<TcpStream> {
    loop {
        let Condition { fault, over } = *condition.borrow_and_update();
        if over.is_some() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if !matches!(fault, Some(Fault::BlackHole | Fault::HalfOpen(_))) {
            return TcpStream::connect(target).await;
        }
        condition.changed().await.map_err(|_| io::ErrorKind::ConnectionAborted)?;
    }
}

/// Waits for a fault that bytes do not survive.
async fn ending(mut condition: watch::Receiver<Condition>) -> Ending {
    loop {
        match *condition.borrow_and_update() {
            Condition { over: Some(over), .. } => return Ending::Fault(over),
            Condition { fault: Some(Fault::HalfOpen(side)), .. } => return Ending::HalfOpen(side),
            _ => {}
        }
        if condition.changed().await.is_err() {
            return Ending::Abandoned;
        }
    }
}

/// Waits until there is no way back.
async fn over(mut condition: watch::Receiver<Condition>) {
    // An error means that the relay is gone.
    let _ = condition.wait_for(|condition| condition.over.is_some()).await;
}

/// One end of a connection.
struct End(OwnedReadHalf, OwnedWriteHalf);

impl End {
    fn reset(self) -> io::Result<()> {
        match self.0.reunite(self.1) {
            // With a linger time of zero, closing sends a reset.
            Ok(stream) => stream.set_zero_linger(),
            Err(_) => Ok(()),
        }
    }

    /// Closes it, and reads until the peer has closed its side: a socket with unread bytes is reset instead.
    async fn close(mut self) {
        // It may be closed already.
        let _ = self.1.shutdown().await;
        let mut sink = vec![0; 8 * 1024];
        let rest = async { while self.0.read(&mut sink).await.is_ok_and(|count| count > 0) {} };
        // One that does not close by then is closed all the same.
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
    }
}
