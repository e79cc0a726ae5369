//! HTTP CONNECT (RFC 9110 §9.3.6), without a password or with one by the Basic scheme (RFC 7617).

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::proxy::login::Login;
use crate::proxy::target::{Target, Unreachable};
use crate::proxy::tunnel::{HANDSHAKE_TIMEOUT, Proxy, tunnel};

/// The longest head of a request, in bytes; the least that hyper allows.
const HEAD: usize = 8 * 1024;

type Answer = Response<Full<Bytes>>;

/// Serves one connection to its end: requests, and the tunnel that one of them may open.
pub(super) async fn serve<S>(proxy: &Proxy, client: S, peer: SocketAddr) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let opened = Mutex::new(None);
    let service = service_fn(async |request| {
        let answer = match connect(proxy, request, peer).await {
            Ok(tunnel) => {
                *opened.lock() = Some(tunnel);
                Response::default()
            }
            Err(refusal) => {
                log::info!("{} proxy: {peer}: refused with {}", proxy.kind, refusal.status());
                *refusal
            }
        };
        Ok::<_, Infallible>(answer)
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_TIMEOUT)
        // A client that has said all may still wait for the answer.
        .half_close(true)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(client), service)
        .with_upgrades()
        .await
        .context("the HTTP connection failed")?;
    let opened = opened.lock().take();
    if let Some((upgrade, target)) = opened {
        let client = upgrade.await.context("the client was gone before its tunnel stood")?;
        tunnel(TokioIo::new(client), target).await;
    }
    Ok(())
}

/// Connects to what the request asks for, or says why not.
async fn connect(
    proxy: &Proxy,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<(OnUpgrade, TcpStream), Box<Answer>> {
    let user = match &proxy.login {
        Some(login) if !is_right(request.headers(), login) => {
            let challenge = HeaderValue::from_static(r#"Basic realm="sandbox", charset="UTF-8""#);
            let refusal =
                refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "a user and a password are needed");
            return Err(with(refusal, PROXY_AUTHENTICATE, challenge));
        }
        login => login.as_ref().map(|login| login.user.clone()),
    };
    if request.method() != Method::CONNECT {
        let refusal = refusal(StatusCode::METHOD_NOT_ALLOWED, "this proxy knows only CONNECT");
        return Err(with(refusal, ALLOW, HeaderValue::from_static("CONNECT")));
    }
    let target = target(request.uri())
        .ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "the target must be a host and a port"))?;
    match proxy.connect(&target, user, peer).await {
        Ok(stream) => Ok((hyper::upgrade::on(&mut request), stream)),
        Err(unreachable) => {
            let status = match &unreachable {
                Unreachable::NotLoopback => StatusCode::FORBIDDEN,
                Unreachable::Failed(error) if error.kind() == ErrorKind::TimedOut => {
                    StatusCode::GATEWAY_TIMEOUT
                }
                Unreachable::NoSuchName | Unreachable::Failed(_) => StatusCode::BAD_GATEWAY,
            };
            Err(refusal(status, &format!("cannot connect to {target}: {unreachable}")))
        }
    }
}

/// The authority form of a target (RFC 9112 §3.2.3), in which neither part may be absent.
fn target(uri: &Uri) -> Option<Target> {
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let port = authority.port_u16().filter(|port| *port > 0)?;
    let host = authority.host();
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => Some(Target::address(address.parse::<Ipv6Addr>().ok()?, port)),
        None => Some(Target::name(host, port)).filter(|_| !host.is_empty()),
    }
}

/// Whether the request has the password.
fn is_right(headers: &HeaderMap, login: &Login) -> bool {
    let given = headers.get(PROXY_AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, credentials)) = given.and_then(|given| given.split_once(' ')) else { return false };
    let expected = format!("{}:{}", login.user, login.password);
    scheme.eq_ignore_ascii_case("Basic")
        && STANDARD.decode(credentials.trim()).is_ok_and(|given| given == expected.as_bytes())
}

fn refusal(status: StatusCode, message: &str) -> Box<Answer> {
    let mut answer = Response::new(Full::from(format!("{message}\n")));
    *answer.status_mut() = status;
    with(Box::new(answer), CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
}

fn with(mut answer: Box<Answer>, name: http::HeaderName, value: HeaderValue) -> Box<Answer> {
    answer.headers_mut().insert(name, value);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_a_host_and_a_port() {
        for (text, expected) in [
            ("localhost:443", Some("localhost:443")),
            ("127.0.0.1:1", Some("127.0.0.1:1")),
            ("[::1]:8883", Some("[::1]:8883")),
            ("localhost", None),
            ("localhost:", None),
            ("localhost:0", None),
            ("localhost:65536", None),
            ("user@localhost:443", None),
            ("[localhost]:443", None),
            ("/path", None),
        ] {
            let target = text.parse::<Uri>().ok().and_then(|uri| target(&uri));
            assert_eq!(target.map(|target| target.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_password_is_asked_for_by_the_basic_scheme() {
        let login = Login { user: "user".to_owned(), password: "a:b c".to_owned() };
        let right = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(PROXY_AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            is_right(&headers, &login)
        };
        let credentials = STANDARD.encode("user:a:b c");
        assert!(right(&format!("Basic {credentials}")) && right(&format!("basic  {credentials}")));
        for wrong in ["", "Basic", "Basic !", &format!("Bearer {credentials}"), &credentials] {
            assert!(!right(wrong), "{wrong}");
        }
        assert!(!right(&format!("Basic {}", STANDARD.encode("user:a:b"))));
        assert!(!is_right(&HeaderMap::new(), &login));
    }
}
