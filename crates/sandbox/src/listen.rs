//! Takes ports of the loopback interface.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::net::TcpSocket;

/// How long a restart waits for a port that another has.
const PORT_TIMEOUT: Duration = Duration::from_secs(2);

/// A port that cannot be listened on, mostly because it is in use.
#[derive(Debug, Error)]
#[error("cannot listen on 127.0.0.1:{port}")]
#[non_exhaustive]
pub struct ListenError {
    /// The port.
    pub port: u16,
    source: io::Error,
}

/// Binds a port of the loopback interface; the standard library sets `SO_REUSEADDR`, so that a port can be had again
/// while connections of an earlier run linger.
pub(crate) fn listen(port: u16) -> Result<TcpListener, ListenError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| ListenError { port, source })
}

/// Binds a port without listening on it: connections are refused, and the system gives the port to no other program.
pub(crate) fn reserve(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

/// As [`listen`], for a port that was the sandbox's own: while it was free, the system may have given it to someone else
/// for a moment.
pub(crate) fn listen_again(port: u16) -> Result<TcpListener, ListenError> {
    let deadline = Instant::now() + PORT_TIMEOUT;
    loop {
        match listen(port) {
            Err(error) if error.source.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}
