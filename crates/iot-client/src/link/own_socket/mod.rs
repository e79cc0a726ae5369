//! Tells connections of this process from everybody else's.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::net::SocketAddr;

pub(crate) use self::system::OwnSocket;
#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;

/// Finds the other end of the connection that `listener` accepted from `peer`, if this process made it.
///
/// A loopback port is open to every user of the machine.
///
/// # Errors
/// The operating system's, when it does not tell.
pub(crate) fn find(peer: SocketAddr, listener: SocketAddr) -> io::Result<Option<OwnSocket>> {
    system::find(peer, listener)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn is_own(peer: SocketAddr, listener: SocketAddr) -> bool {
        find(peer, listener).unwrap().is_some()
    }

    #[test]
    fn finds_own_sockets_and_no_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = TcpStream::connect(address).unwrap().local_addr().unwrap();
        assert!(!is_own(own, address), "closed by now");
        let own = TcpStream::connect(address).unwrap();
        assert!(is_own(own.local_addr().unwrap(), address));
        // The same local name with another peer is not this connection; a whole foreign process is tried in
        // the link's tests.
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_own(own.local_addr().unwrap(), elsewhere.local_addr().unwrap()));
    }
}
