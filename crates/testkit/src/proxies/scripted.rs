use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A server that says what it is told to, whatever it hears: one that no real program would be.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
}

/// What becomes of a connection when everything has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is closed.
    Closes,
    /// It stays open, and silent.
    Hangs,
}

impl Scripted {
    /// Listens on a free port of 127.0.0.1. To each client it says one of `answers` for each time that it hears
    /// something, and then does as `then` says. It runs as long as the test's process.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    #[must_use]
    pub fn start(answers: &[&[u8]], then: Then) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let answers: Vec<_> = answers.iter().map(|answer| answer.to_vec()).collect();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let answers = answers.clone();
                thread::spawn(move || say(client, &answers, then));
            }
        });
        Self { address }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Until the client is gone.
fn say(mut client: TcpStream, answers: &[Vec<u8>], then: Then) {
    let mut heard = [0; 4096];
    for answer in answers {
        if !matches!(client.read(&mut heard), Ok(1..)) || client.write_all(answer).is_err() {
            return;
        }
    }
    if then == Then::Closes && client.shutdown(Shutdown::Write).is_err() {
        return;
    }
    // To close with something unread would reset the connection.
    while matches!(client.read(&mut heard), Ok(1..)) {}
}
