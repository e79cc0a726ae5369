//! The least that is a proxy: it takes any number of clients on loopback, and sends them all to the sandbox.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A proxy's protocol.
#[derive(Clone)]
pub(crate) enum Protocol {
    Socks5,
    Http,
    #[allow(dead_code, reason = "not every user of this file needs it")]
    Https(TlsAcceptor),
}

/// A proxy that stops when the test's runtime does.
pub(crate) struct TestProxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    /// Starts a proxy that lets everybody through, or only `login` (`user:password`), and takes whatever it is
    /// asked for to `upstream` on 127.0.0.1.
    pub(crate) async fn start(protocol: Protocol, login: Option<&'static str>, upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (protocol, log) = (protocol.clone(), Arc::clone(&log));
                // A client that goes away ends its own task only.
                tokio::spawn(async move {
                    match protocol {
                        Protocol::Socks5 => socks5(client, login, upstream, &log).await,
                        Protocol::Http => http(client, login, upstream, &log).await,
                        Protocol::Https(tls) => http(tls.accept(client).await?, login, upstream, &log).await,
                    }
                });
            }
        });
        Self { address, asked }
    }

    /// What clients asked for, as `host:port`, name or address as they gave it.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

async fn socks5(
    mut client: impl Io,
    login: Option<&str>,
    upstream: u16,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    client.read_u8().await?;
    let mut methods = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut methods).await?;
    let method = if login.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, method]).await?;
    if let Some(login) = login {
        client.read_u8().await?;
        let (user, password) = (read_short(&mut client).await?, read_short(&mut client).await?);
        let accepted = format!("{user}:{password}") == login;
        client.write_all(&[1, (!accepted).into()]).await?;
        if !accepted {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => std::net::Ipv4Addr::from(client.read_u32().await?).to_string(),
        4 => {
            // Nothing of the sandbox listens there.
            client.read_u128().await?;
            client.read_u16().await?;
            return client.write_all(&[5, 3, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        }
        _ => read_short(&mut client).await?,
    };
    let port = client.read_u16().await?;
    log.lock().unwrap().push(format!("{host}:{port}"));
    if host.starts_with("forbidden") {
        return client.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

async fn read_short(client: &mut impl Io) -> std::io::Result<String> {
    let mut bytes = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}

async fn http(
    mut client: impl Io,
    login: Option<&str>,
    upstream: u16,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    use base64::Engine;

    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(client.read_u8().await?);
    }
    let request = String::from_utf8(request).unwrap();
    let target = request.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    log.lock().unwrap().push(target.to_owned());
    if let Some(login) = login {
        let expected = base64::engine::general_purpose::STANDARD.encode(login);
        if !request.contains(&format!("proxy-authorization: Basic {expected}\r\n")) {
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\
                Content-Length: 8\r\n\r\nwho, you";
            return client.write_all(answer.as_bytes()).await;
        }
    }
    if target.starts_with("forbidden") {
        let answer =
            "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Length: 0\r\n\r\n";
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
