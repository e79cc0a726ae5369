//! By the descriptors of this process.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use socket2::{SockAddr, SockRef, Socket};

/// A second hold on the other end.
#[derive(Debug)]
pub(crate) struct OwnSocket(Socket);

impl OwnSocket {
    /// Lets small writes that follow an unacknowledged one wait for the acknowledgement, and leave together
    /// (Nagle's algorithm, RFC 9293 §3.7.4). Only where this end can acknowledge at once, instead of some 40 ms later.
    pub(crate) fn bundle_writes(&self) -> io::Result<()> {
        if cfg!(target_os = "linux") { self.0.set_tcp_nodelay(false) } else { Ok(()) }
    }
}

/// A connection made here has its other end among our own descriptors. Both of its names are compared: the kernel may
/// give one local port to sockets of several processes, as long as they connect to different addresses.
pub(crate) fn find(peer: SocketAddr, listener: SocketAddr) -> io::Result<Option<OwnSocket>> {
    // /dev/fd exists on Linux (a link to /proc/self/fd) and on macOS.
    for entry in fs::read_dir("/dev/fd")? {
        let Some(descriptor) = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) else {
            continue;
        };
        // SAFETY: the descriptor is only asked for its names and duplicated, within this turn of the loop. Should
        // another thread close it meanwhile, the calls fail, or answer for a newer descriptor of this same process.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let socket = SockRef::from(&descriptor);
        let is_it = |socket: &Socket| {
            let name = |address: io::Result<SockAddr>| address.ok().and_then(|address| address.as_socket());
            name(socket.local_addr()) == Some(peer) && name(socket.peer_addr()) == Some(listener)
        };
        if !is_it(&socket) {
            continue;
        }
        // A duplicate stays the socket that it is, so it is asked again.
        let socket = socket.try_clone()?;
        if is_it(&socket) {
            return Ok(Some(OwnSocket(socket)));
        }
    }
    Ok(None)
}
