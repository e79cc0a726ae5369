//! Tells connections of this process from everybody else's.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::net::SocketAddr;

#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;

/// Whether the connection that `listener` accepted from `peer` was made by this process.
///
/// A loopback port is open to every user of the machine.
///
/// # Errors
/// The operating system's, when it does not tell.
pub(super) fn is_own(peer: SocketAddr, listener: SocketAddr) -> io::Result<bool> {
    system::is_own(peer, listener)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_own_sockets_and_no_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = TcpStream::connect(address).unwrap().local_addr().unwrap();
        assert!(!is_own(own, address).unwrap(), "closed by now");
        let own = TcpStream::connect(address).unwrap();
        assert!(is_own(own.local_addr().unwrap(), address).unwrap());
        // The same local name with another peer is not this connection; a whole foreign process is tried in
        // the link's tests.
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_own(own.local_addr().unwrap(), elsewhere.local_addr().unwrap()).unwrap());
    }
}
