use std::io::{self, Read};
use std::net::Shutdown;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;

/// A second hold on the link's socket, so that it outlives a runtime that is dropped with the link's task in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkSocket(Arc<OnceLock<Socket>>);

impl LinkSocket {
    pub(crate) fn hold(&self, stream: TcpStream) -> io::Result<TcpStream> {
        // Set once: a link accepts one connection.
        let _ = self.0.set(SockRef::from(&stream).try_clone()?);
        Ok(stream)
    }

    /// Acknowledges what has been read. paho's next small write may wait for it.
    pub(crate) fn acknowledge(&self) {
        // Elsewhere paho's writes wait for nothing.
        #[cfg(target_os = "linux")]
        if let Some(socket) = self.0.get() {
            // It fails on a socket that has ended, of which reading tells.
            let _ = socket.set_tcp_quickack(true);
        }
    }

    /// Ends the link's direction, upon which paho closes the connection.
    pub(crate) fn end(&self) {
        if let Some(socket) = self.0.get() {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Ends the link's direction and reads until paho has closed its own, on a thread that may wait.
    pub(crate) fn close(&self, limit: Duration) {
        self.end();
        let Some(mut socket) = self.0.get() else { return };
        let deadline = Instant::now() + limit;
        let mut buffer = [0; READ_SIZE];
        while Instant::now() < deadline {
            match socket.read(&mut buffer) {
                Ok(1..) => {}
                // The socket stays non-blocking: the link's task may be reading, too.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// A TLS record holds at most 16 KiB (RFC 8446 §5.1).
pub(crate) const READ_SIZE: usize = 16 * 1024;
