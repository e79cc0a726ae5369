//! By the descriptors of this process.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use socket2::{SockAddr, SockRef};

/// A connection made here has its other end among our own descriptors. Both of its names are compared: the kernel may
/// give one local port to sockets of several processes, as long as they connect to different addresses.
pub(in crate::client) fn is_own(peer: SocketAddr, listener: SocketAddr) -> io::Result<bool> {
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
