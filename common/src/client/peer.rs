//! Tells connections of this process from everybody else's.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use socket2::{SockAddr, SockRef};

/// Whether the connection that `listener` accepted from `peer` was made by this process.
///
/// A loopback port is open to every user of the machine. A connection made here has its other end among our own
/// descriptors. Both of its names are compared: the kernel may give one local port to sockets of several
/// processes, as long as they connect to different addresses.
pub(super) fn is_own(peer: SocketAddr, listener: SocketAddr) -> io::Result<bool> {
    // /dev/fd exists on Linux (a link to /proc/self/fd) and on macOS.
    for entry in fs::read_dir("/dev/fd")? {
        let Some(descriptor) = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) else {
            continue;
        };
        // SAFETY: the descriptor is only asked for its names, within this statement. Should another thread
        // close it meanwhile, the call fails, or answers for a newer descriptor of this same process.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let socket = SockRef::from(&descriptor);
        let name = |address: io::Result<SockAddr>| address.ok().and_then(|address| address.as_socket());
        if name(socket.local_addr()) == Some(peer) && name(socket.peer_addr()) == Some(listener) {
            return Ok(true);
        }
    }
    Ok(false)
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
