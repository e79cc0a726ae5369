//! What the relay does to connections, over plain TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sandbox::Relay;
use sandbox::relay::{Direction, Fault, Options, Reach, Side};

use crate::relay::{connect, echo};

/// How long it is watched that nothing comes.
const QUIET: Duration = Duration::from_millis(200);

fn relay() -> Relay {
    Relay::start(echo(), Options::default()).unwrap()
}

/// A client whose connection has been seen to work.
fn connected(relay: &Relay) -> TcpStream {
    let mut stream = connect(relay);
    assert_works(&mut stream);
    stream
}

#[track_caller]
fn assert_works(stream: &mut TcpStream) {
    let mut echoed = [0; 5];
    stream.write_all(b"hello").unwrap();
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"hello");
}

#[track_caller]
fn assert_quiet(stream: &mut TcpStream) {
    let limit = stream.read_timeout().unwrap();
    stream.set_read_timeout(Some(QUIET)).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    stream.set_read_timeout(limit).unwrap();
}

#[track_caller]
fn assert_reset(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// A relay to a server that the test plays, and both ends of a connection through it.
fn pair() -> (Relay, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::start(listener.local_addr().unwrap().port(), Options::default()).unwrap();
    let client = connect(&relay);
    let (server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (relay, client, server)
}

#[test]
fn reset_concerns_whom_it_reaches() {
    let relay = relay();
    let mut live = connected(&relay);
    relay.inject(Reach::New, Fault::Reset);
    assert_reset(&mut connect(&relay));
    assert_works(&mut live);
    relay.inject(Reach::Live, Fault::Reset);
    assert_reset(&mut live);
    assert_reset(&mut connect(&relay));
    relay.heal();
    connected(&relay);
    assert_eq!(relay.connections(), 4);
}

#[test]
fn end_closes_both_sides() {
    let (relay, mut client, mut server) = pair();
    // Not even unread bytes turn it into a reset.
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut [0; 5]).unwrap();
    relay.inject(Reach::All, Fault::End);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    relay.heal();
    // There is no way back for what was closed.
    client.write_all(b"x").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn half_open_closes_one_side_and_resets_the_other_when_it_is_over() {
    for side in [Side::Server, Side::Client] {
        let (relay, client, server) = pair();
        let (mut closed, mut kept) = match side {
            Side::Server => (server, client),
            Side::Client => (client, server),
        };
        relay.inject(Reach::Live, Fault::HalfOpen(side));
        assert_eq!(closed.read(&mut [0]).unwrap(), 0, "{side:?}");
        kept.write_all(b"is anybody there?").unwrap();
        assert_quiet(&mut kept);
        relay.heal();
        assert_reset(&mut kept);
    }
}

#[test]
fn a_black_hole_holds_everything_up_and_loses_nothing() {
    let relay = relay();
    let mut stream = connected(&relay);
    relay.inject(Reach::All, Fault::BlackHole);
    stream.write_all(b"hello").unwrap();
    let mut late = connect(&relay);
    late.write_all(b"hello").unwrap();
    assert_quiet(&mut stream);
    assert_quiet(&mut late);
    relay.heal();
    for stream in [&mut stream, &mut late] {
        stream.read_exact(&mut [0; 5]).unwrap();
        assert_works(stream);
    }
}

#[test]
fn a_black_hole_is_no_bottomless_one() {
    let relay = relay();
    let mut stream = connected(&relay);
    relay.inject(Reach::Live, Fault::BlackHole);
    stream.set_write_timeout(Some(QUIET)).unwrap();
    // TCP acknowledges no more than the sockets' buffers hold.
    let written = (0..1024).take_while(|_| stream.write_all(&[0; 64 * 1024]).is_ok()).count();
    assert!(written < 1024, "{written}");
}

#[test]
fn loss_swallows_one_direction_and_is_never_mended() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (relay, client, server) = pair();
        let (mut sender, mut receiver) = match direction {
            Direction::ToServer => (client, server),
            Direction::ToClient => (server, client),
        };
        relay.inject(Reach::Live, Fault::Loss(direction));
        sender.write_all(b"lost").unwrap();
        assert_quiet(&mut receiver);
        receiver.write_all(b"found").unwrap();
        sender.read_exact(&mut [0; 5]).unwrap();
        relay.heal();
        assert_reset(&mut sender);
        assert_reset(&mut receiver);
    }
}

#[test]
fn loss_that_hit_nothing_leaves_no_trace() {
    let relay = relay();
    let mut stream = connected(&relay);
    relay.inject(Reach::Live, Fault::Loss(Direction::ToServer));
    assert_quiet(&mut stream);
    relay.heal();
    assert_works(&mut stream);
}

#[test]
fn a_slow_link_carries_all_in_its_time() {
    let relay = relay();
    let mut stream = connected(&relay);
    relay.inject(Reach::All, Fault::Slow { bytes_per_second: 20_000 });
    let started = Instant::now();
    stream.write_all(&[7; 10_000]).unwrap();
    let mut echoed = vec![0; 10_000];
    stream.read_exact(&mut echoed).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(echoed.iter().all(|byte| *byte == 7));
    relay.heal();
    assert_works(&mut stream);
}

#[test]
fn exactly_so_many_bytes_pass_before_the_reset() {
    for bytes in [0, 1, 7, 4096] {
        let (relay, mut client, mut server) = pair();
        relay.inject(Reach::Live, Fault::ResetAfter { direction: Direction::ToServer, bytes });
        if bytes > 0 {
            // The other direction does not count.
            server.write_all(b"hello").unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
            client.write_all(&vec![1; bytes - 1]).unwrap();
            server.read_exact(&mut vec![0; bytes - 1]).unwrap();
            assert_quiet(&mut server);
            client.write_all(&[1, 2]).unwrap();
            let mut last = [0];
            server.read_exact(&mut last).unwrap();
            assert_eq!(last, [1]);
        }
        assert_reset(&mut server);
        assert_reset(&mut client);
        assert_eq!(relay.bytes(Direction::ToServer), bytes as u64);
    }
}

#[test]
fn chopped_bytes_arrive_in_order() {
    let relay = relay();
    relay.inject(Reach::New, Fault::Chop);
    let mut stream = connect(&relay);
    let sent: Vec<u8> = (0..=255).cycle().take(5000).collect();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received, sent);
    assert_eq!(relay.bytes(Direction::ToClient), 5000);
}

#[test]
fn redirects_connections_to_come() {
    let (relay, _client, _server) = pair();
    relay.redirect(echo());
    connected(&relay);
}

#[test]
fn a_server_that_is_not_there_is_a_reset() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let relay = Relay::start(port, Options::default()).unwrap();
    assert_reset(&mut connect(&relay));
}
