use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A port that takes no connection and refuses none, as behind a firewall that drops packets: Linux drops the SYNs for a
/// listener whose queue is full.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _socket: Socket,
    _filling: Vec<io::Result<TcpStream>>,
}

impl BlackHole {
    /// Listens on 127.0.0.1 and fills the queue.
    pub fn open() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let filling: Vec<_> =
            (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200))).collect();
        assert!(filling.iter().any(Result::is_err), "the queue is full");
        Self { address, _socket: socket, _filling: filling }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}
