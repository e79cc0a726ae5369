use std::net::{Ipv4Addr, TcpListener};

/// A port for a server that cannot be told to take a free one. Somebody else may take it first: be ready to try again.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("a listener has an address").port()
}
