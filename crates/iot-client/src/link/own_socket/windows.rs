//! By the system's table of TCP connections, which names the process of each.
//!
//! This was only reviewed, and checked against the types of windows-sys: it has never run.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{GetExtendedTcpTable, TCP_TABLE_OWNER_PID_CONNECTIONS};
use windows_sys::Win32::Networking::WinSock::AF_INET;

/// The other end, of which the table tells no more than that it is there.
#[derive(Debug)]
pub(crate) struct OwnSocket;

impl OwnSocket {
    /// Nothing: this end could not acknowledge at once.
    pub(crate) fn bundle_writes(&self) -> io::Result<()> {
        Ok(())
    }
}

/// On loopback each end of a connection has a row, and ours is the one whose local name is `peer`. The link listens on
/// 127.0.0.1 only, so the table of IPv4 is enough.
pub(crate) fn find(peer: SocketAddr, listener: SocketAddr) -> io::Result<Option<OwnSocket>> {
    let own = process::id();
    let is_there = table()?.chunks_exact(ROW).any(|row| {
        // MIB_TCPROW_OWNER_PID, six 32-bit fields.
        let &[_state, local, local_port, remote, remote_port, pid] = row else { return false };
        pid == own && address(local, local_port) == peer && address(remote, remote_port) == listener
    });
    Ok(is_there.then_some(OwnSocket))
}

/// The fields of a row.
const ROW: usize = 6;

/// Both are in network byte order, and only the lower half of the port's field is its.
fn address(address: u32, port: u32) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::from(address.to_ne_bytes()), u16::from_be(port as u16)).into()
}

/// The rows of MIB_TCPTABLE_OWNER_PID
/// (<https://learn.microsoft.com/windows/win32/api/iphlpapi/nf-iphlpapi-getextendedtcptable>).
fn table() -> io::Result<Vec<u32>> {
    let mut table: Vec<u32> = Vec::new();
    loop {
        let mut size = u32::try_from(size_of_val(&table[..])).map_err(io::Error::other)?;
        // SAFETY: the system writes no more than `size` bytes, which is what the buffer holds, and stores what it
        // needs in `size`. The buffer's alignment is that of the table, whose fields all have 32 bits.
        let outcome = unsafe {
            GetExtendedTcpTable(
                table.as_mut_ptr().cast(),
                ptr::from_mut(&mut size),
                0,
                AF_INET.into(),
                TCP_TABLE_OWNER_PID_CONNECTIONS,
                0,
            )
        };
        match outcome {
            NO_ERROR => break,
            // Connections may have been added since the size was asked for: a little more than it was then.
            ERROR_INSUFFICIENT_BUFFER => table.resize(size as usize / size_of::<u32>() + 16 * ROW, 0),
            error => return Err(io::Error::from_raw_os_error(error as i32)),
        }
    }
    let rows = table.first().map_or(0, |rows| *rows as usize);
    Ok(table.into_iter().skip(1).take(rows * ROW).collect())
}
