//! SOCKS5 (RFC 1928) with CONNECT, without a password or with one (RFC 1929).

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::proxy::login::Login;
use crate::proxy::target::{Target, Unreachable};
use crate::proxy::tunnel::{HANDSHAKE_TIMEOUT, Proxy, tunnel};

const VERSION: u8 = 5;
/// The version of the exchange of user and password.
const LOGIN_VERSION: u8 = 1;

const NO_AUTHENTICATION: u8 = 0x00;
const USER_AND_PASSWORD: u8 = 0x02;
const NO_ACCEPTABLE_METHOD: u8 = 0xFF;

const CONNECT: u8 = 1;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// How long a client has to read its refusal.
const FAREWELL: Duration = Duration::from_secs(1);

/// The REP of an answer (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Reply {
    Succeeded = 0,
    GeneralFailure = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    ConnectionRefused = 5,
    CommandNotSupported = 7,
    AddressTypeNotSupported = 8,
}

impl From<&Unreachable> for Reply {
    fn from(unreachable: &Unreachable) -> Self {
        match unreachable {
            Unreachable::NotLoopback => Reply::NotAllowed,
            Unreachable::NoSuchName => Reply::HostUnreachable,
            Unreachable::Failed(error) => match error.kind() {
                ErrorKind::ConnectionRefused => Reply::ConnectionRefused,
                ErrorKind::NetworkUnreachable => Reply::NetworkUnreachable,
                ErrorKind::HostUnreachable | ErrorKind::TimedOut => Reply::HostUnreachable,
                _ => Reply::GeneralFailure,
            },
        }
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(proxy: &Proxy, mut client: TcpStream, peer: SocketAddr) -> anyhow::Result<()> {
    let handshake = timeout(HANDSHAKE_TIMEOUT, handshake(proxy, &mut client, peer)).await;
    match handshake.context("no SOCKS request in time")? {
        Ok(target) => {
            tunnel(client, target).await;
            Ok(())
        }
        Err(error) => {
            dismiss(client).await;
            Err(error)
        }
    }
}

/// All up to the answer of success. On an error the client has its answer, if there is one for it.
async fn handshake(proxy: &Proxy, client: &mut TcpStream, peer: SocketAddr) -> anyhow::Result<TcpStream> {
    let user = authenticate(client, proxy.login.as_ref()).await?;
    let target = match request(client).await.context("the request ended early")? {
        Ok(target) => target,
        Err(reply) => {
            answer(client, reply, None).await?;
            bail!("refused with {reply:?}");
        }
    };
    match proxy.connect(&target, user, peer).await {
        Ok(stream) => {
            answer(client, Reply::Succeeded, stream.local_addr().ok()).await?;
            Ok(stream)
        }
        Err(unreachable) => {
            let reply = Reply::from(&unreachable);
            answer(client, reply, None).await?;
            bail!("refused with {reply:?}");
        }
    }
}

/// Agrees on the one method there is, and returns the user.
async fn authenticate(client: &mut TcpStream, login: Option<&Login>) -> anyhow::Result<Option<String>> {
    let [version, count] = bytes(client).await.context("no greeting came")?;
    ensure!(version == VERSION, "not SOCKS5: the first byte is {version:#04x}");
    let offered = vector(client, count).await.context("the greeting ended early")?;
    let method = if login.is_some() { USER_AND_PASSWORD } else { NO_AUTHENTICATION };
    if !offered.contains(&method) {
        client.write_all(&[VERSION, NO_ACCEPTABLE_METHOD]).await?;
        bail!("the client offers only the methods {offered:?}");
    }
    client.write_all(&[VERSION, method]).await?;

    let Some(login) = login else { return Ok(None) };
    let [version, length] = bytes(client).await.context("no user and password came")?;
    ensure!(version == LOGIN_VERSION, "not RFC 1929: the version is {version:#04x}");
    let user = vector(client, length).await.context("the user ended early")?;
    let [length] = bytes(client).await.context("no password came")?;
    let password = vector(client, length).await.context("the password ended early")?;
    let right = user == login.user.as_bytes() && password == login.password.as_bytes();
    client.write_all(&[LOGIN_VERSION, u8::from(!right)]).await?;
    ensure!(right, "wrong user or password");
    Ok(Some(login.user.clone()))
}

/// Reads a request, whole if its length is known, so that the refusal is for what it asks.
async fn request(client: &mut TcpStream) -> io::Result<Result<Target, Reply>> {
    let [version, command, _reserved, address_type] = bytes(client).await?;
    if version != VERSION {
        return Ok(Err(Reply::GeneralFailure));
    }
    let host = match address_type {
        IPV4 => Host::Address(Ipv4Addr::from(bytes::<4>(client).await?).into()),
        IPV6 => Host::Address(Ipv6Addr::from(bytes::<16>(client).await?).into()),
        NAME => {
            let [length] = bytes(client).await?;
            Host::Name(vector(client, length).await?)
        }
        _ => return Ok(Err(Reply::AddressTypeNotSupported)),
    };
    let port = u16::from_be_bytes(bytes(client).await?);
    if command != CONNECT {
        return Ok(Err(Reply::CommandNotSupported));
    }
    Ok(Ok(match host {
        Host::Address(address) => Target::address(address, port),
        Host::Name(name) => Target::name(&String::from_utf8_lossy(&name), port),
    }))
}

/// The host of a request as it was sent.
enum Host {
    Name(Vec<u8>),
    Address(IpAddr),
}

/// Answers a request; `bound` is the proxy's end of the connection to the target.
async fn answer(client: &mut TcpStream, reply: Reply, bound: Option<SocketAddr>) -> io::Result<()> {
    let bound = bound.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let mut message = vec![VERSION, reply as u8, 0];
    match bound.ip() {
        IpAddr::V4(address) => {
            message.push(IPV4);
            message.extend(address.octets());
        }
        IpAddr::V6(address) => {
            message.push(IPV6);
            message.extend(address.octets());
        }
    }
    message.extend(bound.port().to_be_bytes());
    client.write_all(&message).await
}

/// Ends a connection so that the client can read what was sent last: to close it with bytes unread would reset it.
async fn dismiss(mut client: TcpStream) {
    let read_to_end = async {
        client.shutdown().await?;
        let mut rest = [0; 1024];
        while client.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whatever comes of it, the connection ends here.
    let _ = timeout(FAREWELL, read_to_end).await;
}

async fn bytes<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// As many bytes as the length field before them says.
async fn vector(client: &mut TcpStream, length: u8) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
