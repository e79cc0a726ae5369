//! The relay.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::Relay;
use sandbox::relay::Options;

/// What the relay reads at once, in bytes.
const CHUNK: usize = 16 * 1024;
const LENGTH: usize = 8 * 1024 * 1024;

/// Echoes what comes; returns the port.
pub(crate) fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || {
                std::io::copy(&mut &stream, &mut &stream).map(|_| stream.shutdown(std::net::Shutdown::Both))
            });
        }
    });
    port
}

pub(crate) fn connect(relay: &Relay) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[test]
fn delays_each_direction() {
    let relay = Relay::start(echo(), Options { one_way_delay: Duration::from_millis(50) }).unwrap();
    let mut stream = connect(&relay);
    let started = Instant::now();
    stream.write_all(b"ping").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    let taken = started.elapsed();
    assert!(taken >= Duration::from_millis(100), "{taken:?}");
    assert_eq!(relay.connections(), 1);
}

#[test]
fn delays_do_not_limit_throughput() {
    let delay = Duration::from_millis(100);
    let relay = Relay::start(echo(), Options { one_way_delay: delay }).unwrap();
    let mut stream = connect(&relay);
    let mut writer = stream.try_clone().unwrap();
    let started = Instant::now();
    let sender = thread::spawn(move || {
        writer.write_all(&vec![7; LENGTH]).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    sender.join().unwrap();
    assert_eq!(received.len(), LENGTH);
    // Chunk after chunk, with a delay each, takes nearly a minute on any machine.
    let one_by_one = delay * u32::try_from(LENGTH / CHUNK).unwrap();
    assert!(started.elapsed() < one_by_one, "{:?}", started.elapsed());
}

#[test]
fn cut_resets_what_lives_and_serves_what_comes() {
    let relay = Relay::start(echo(), Options::default()).unwrap();
    let mut first = connect(&relay);
    first.write_all(b"x").unwrap();
    first.read_exact(&mut [0]).unwrap();
    relay.cut();
    assert_eq!(first.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let mut second = connect(&relay);
    second.write_all(b"y").unwrap();
    second.read_exact(&mut [0]).unwrap();
    assert_eq!(relay.connections(), 2);
    drop(relay);
    assert_eq!(second.read(&mut [0]).unwrap_or(0), 0);
}
