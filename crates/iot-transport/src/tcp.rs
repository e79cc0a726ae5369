//! Name resolution and TCP, with the happy eyeballs of RFC 8305.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::panics::on_own_thread;
use crate::setting::Setting;
use crate::shortage;

/// How long an attempt has to itself before the next address is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// After how much silence the kernel asks whether the peer is still there, how long it waits for an answer, and how
/// often it asks: a peer that is gone is noticed after 25 s, and on Linux, where `UNACKNOWLEDGED` counts here too,
/// after 20 s. Systems wait for two hours by themselves. This also keeps the way open through NATs and firewalls, whose
/// patience with idle connections can be below a minute on mobile networks.
///
/// A device on a battery, whose radio each probe wakes, makes these longer: its keep-alive of MQTT, up to 1200 s on AWS
/// IoT Core, is then what notices.
const KEEP_ALIVE: TcpKeepalive = {
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));
    probes.with_retries(3)
};

/// How long what was sent may go without an acknowledgement (`TCP_USER_TIMEOUT`, RFC 5482). Linux would send it again
/// for a quarter of an hour, and does not probe meanwhile. Twice the 10 s that the client gives the answer to a
/// PINGREQ, so that a short gap in a mobile network costs no connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// How many bytes that the network cannot take yet wait in the socket. Linux would keep megabytes there, and a PINGREQ
/// would wait behind them for minutes on a slow link.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 32 * 1024;

/// Which addresses of a name count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressFamily {
    Any,
    V6,
}

/// The addresses of a name, at least one, in the resolver's order. An IP address is its own, at once.
///
/// # Errors
/// [`Error::Resolve`].
pub(crate) async fn resolve(host: &str, port: u16, family: AddressFamily) -> Result<Vec<SocketAddr>, Error> {
    let failed = |source| Error::Resolve { host: host.to_owned(), source };
    let mut addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => {
            let name = host.to_owned();
            let lookup = move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            let found = on_own_thread("resolver", move |_| lookup(), failed).await?;
            // A resolver that finds no descriptor says that there is no such name.
            found.map_err(|error| failed(shortage::now().unwrap_or(error)))?
        }
    };
    if addresses.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    if family == AddressFamily::V6 {
        addresses.retain(SocketAddr::is_ipv6);
        if addresses.is_empty() {
            let problem = format!("it has no IPv6 address, and {} asks for one", Setting::Ipv6);
            return Err(failed(io::Error::new(io::ErrorKind::AddrNotAvailable, problem)));
        }
    }
    Ok(addresses)
}

/// Connects to whichever address answers first, and says which it was.
///
/// The address families take turns. An attempt starts when the one before has failed or has been under way for
/// 250 ms; the first to connect wins and the others are dropped.
///
/// # Errors
/// [`Error::Tcp`] with the failure of the attempt that failed last; `target` is the broker's `host:port`.
pub(crate) async fn connect(
    addresses: &[SocketAddr],
    target: &str,
) -> Result<(TcpStream, SocketAddr), Error> {
    let mut waiting = interleave(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = (None, io::Error::new(io::ErrorKind::NotFound, "no address to connect to"));
    loop {
        match waiting.next() {
            Some(address) => attempts.push(attempt(address)),
            None if attempts.is_empty() => break,
            None => {}
        }
        tokio::select! {
            Some((address, outcome)) = attempts.next() => match outcome {
                Ok(stream) => return Ok((stream, address)),
                Err(source) => {
                    log::debug!("TCP: no connection to {address}: {source}");
                    failure = (Some(address), source);
                }
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {}
        }
    }
    let (address, source) = failure;
    let target = match address {
        // An address that was given as such need not be told twice.
        Some(address) if address.to_string() != target => format!("{target} ({address})"),
        _ => target.to_owned(),
    };
    Err(Error::Tcp { target, source })
}

async fn attempt(address: SocketAddr) -> (SocketAddr, io::Result<TcpStream>) {
    let outcome = TcpStream::connect(address).await.and_then(|stream| {
        // MQTT's packets are small and each wants to leave at once.
        stream.set_nodelay(true)?;
        if let Err(error) = notice_loss(SockRef::from(&stream)) {
            // A connection without is better than none: the keep-alive of MQTT remains.
            log::debug!("TCP: no timeouts on the connection to {address}: {error}");
        }
        Ok(stream)
    });
    (address, outcome)
}

/// Has the kernel notice that a peer or the way to it is gone.
fn notice_loss(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_keepalive(&KEEP_ALIVE)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

/// The families taking turns, the resolver's first choice first (RFC 8305 §4).
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(addresses.len());
    while turns.len() < addresses.len() {
        turns.extend(first.next());
        turns.extend(second.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::net::TcpListener;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn families_take_turns() {
        assert_eq!(
            interleave(&addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"])),
            addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"])
        );
        assert_eq!(interleave(&addresses(&["1.1.1.1:1", "[::1]:1"])), addresses(&["1.1.1.1:1", "[::1]:1"]));
        assert_eq!(interleave(&[]), []);
    }

    #[test]
    fn a_resolver_that_hangs_does_not_keep_the_runtime() {
        let (release, hang) = std::sync::mpsc::channel::<()>();
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("builds");
            runtime.block_on(async {
                let lookup = on_own_thread(
                    "test",
                    move |_| hang.recv(),
                    |source| Error::Resolve { host: "localhost".to_owned(), source },
                );
                tokio::time::timeout(Duration::from_millis(10), lookup).await.expect_err("it hangs");
            });
            drop(runtime);
            ended.send(()).expect("the test waits");
        });
        end.recv_timeout(Duration::from_secs(10)).expect("the runtime has ended");
        drop(release);
    }

    #[tokio::test]
    async fn a_refused_address_does_not_stop_the_next() {
        let gone =
            TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("has an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let here = listener.local_addr().expect("has an address");
        let (stream, address) = connect(&[gone, here], "localhost:1").await.expect("connects");
        assert_eq!(address, here);
        assert!(stream.nodelay().expect("readable"));
    }

    #[tokio::test]
    async fn the_kernel_watches_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let here = listener.local_addr().expect("has an address");
        let (stream, _) = connect(&[here], "localhost:1").await.expect("connects");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("readable"));
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        {
            assert_eq!(socket.tcp_keepalive_time().expect("readable"), Duration::from_secs(10));
            assert_eq!(socket.tcp_keepalive_interval().expect("readable"), Duration::from_secs(5));
            assert_eq!(socket.tcp_keepalive_retries().expect("readable"), 3);
        }
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_user_timeout().expect("readable"), Some(Duration::from_secs(20)));
            assert_eq!(socket.tcp_notsent_lowat().expect("readable"), 32 * 1024);
        }
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_silent_address_does_not_hold_up_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let here = listener.local_addr().expect("has an address");
        // A full accept queue: Linux drops further SYNs, as a firewall does.
        let full =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("binds");
        full.listen(0).expect("listens");
        let silent = full.local_addr().ok().and_then(|address| address.as_socket()).expect("has an address");
        let patience = Duration::from_millis(200);
        let filling: Vec<_> =
            (0..4).map(|_| std::net::TcpStream::connect_timeout(&silent, patience)).collect();
        assert!(filling.iter().any(Result::is_err), "the queue is full");
        let addresses = [silent, here];
        let connecting = connect(&addresses, "localhost:1");
        let (_, address) = tokio::time::timeout(Duration::from_secs(5), connecting)
            .await
            .expect("in time")
            .expect("connects");
        assert_eq!(address, here);
    }

    #[tokio::test]
    async fn the_failure_names_the_address() {
        let gone =
            TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("has an address");
        let error = connect(&[gone], "localhost:1").await.expect_err("nobody listens");
        assert_eq!(error.to_string(), format!("cannot open a TCP connection to localhost:1 ({gone})"));
        assert!(
            matches!(error, Error::Tcp { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
        );
        assert!(matches!(connect(&[], "localhost:1").await, Err(Error::Tcp { .. })));
    }

    #[tokio::test]
    async fn an_unknown_name_is_a_resolve_error() {
        // ".invalid" never exists (RFC 6761 §6.4).
        let error = resolve("broker.invalid", 8883, AddressFamily::Any).await.expect_err("no such name");
        assert!(matches!(&error, Error::Resolve { host, .. } if host == "broker.invalid"), "{error:?}");
        assert_eq!(
            resolve("::1", 8883, AddressFamily::Any).await.expect("an address"),
            addresses(&["[::1]:8883"])
        );
    }

    #[test]
    fn an_address_is_not_looked_up() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:8883"), ("2001:db8::1", "[2001:db8::1]:8883")] {
            // No runtime, and no thread: the answer is there when it is asked for.
            let known = resolve(host, 8883, AddressFamily::Any).now_or_never().expect("at once");
            assert_eq!(known.expect("an address"), addresses(&[expected]));
        }
    }

    #[tokio::test]
    async fn ipv6_alone_on_request() {
        assert_eq!(resolve("::1", 1, AddressFamily::V6).await.expect("an address"), addresses(&["[::1]:1"]));
        let error = resolve("127.0.0.1", 1, AddressFamily::V6).await.expect_err("it is IPv4");
        assert!(
            matches!(&error, Error::Resolve { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable)
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("leave the IPv6 setting out")), "{error:?}");
    }
}
