//! HTTP requests over a [`Route`], each with a connection of its own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::sync::Mutex;

use crate::cause::Cause;
use crate::proxy::is_metadata;
use crate::route::connect_directly;
use crate::stream::driving;
use crate::timeline::Timeline;
use crate::{Error, Identity, ProxyProblem, Route, Stream, tls};

/// The largest answer that is read, in bytes. Credentials take a few thousand.
const MAX_BODY: usize = 1024 * 1024;

/// Sends requests over a route. It opens a connection for each: there is about one an hour. Clones share the TLS
/// configuration.
#[derive(Debug, Clone)]
pub struct HttpClient {
    route: Route,
    identity: Option<Identity>,
    /// Where a signature of the private key may block: whose turn it is.
    blocking_key: Option<Arc<Mutex<()>>>,
    /// The TLS configuration, made at the first request to an `https://` address.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// How long the two parts of a request may take; without a limit the caller sets the deadline.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpLimits {
    /// To connect, TLS included.
    pub connect: Option<Duration>,
    /// To answer, once connected.
    pub answer: Option<Duration>,
}

/// A request that has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct HttpError {
    /// How to take it.
    pub kind: HttpErrorKind,
    /// Whether the server was reached.
    pub connected: bool,
    /// An [`Error`] where a layer below HTTP failed.
    pub source: Cause,
}

/// What to make of a request that has no answer. The names are those of the AWS SDK, which messages show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpErrorKind {
    /// The request, or a password for the proxy: not to be tried again, as accounts lock themselves after some wrong
    /// passwords.
    #[error("user error")]
    User,
    /// The connection.
    #[error("io error")]
    Io,
    /// A limit has passed.
    #[error("timeout")]
    Timeout,
}

impl HttpClient {
    /// Without a client certificate.
    pub fn new(route: &Route) -> Self {
        Self { route: route.clone(), identity: None, blocking_key: None, config: Arc::default() }
    }

    /// With a client certificate; where a signature of its key may block, in its `turn`.
    pub fn with_identity(self, identity: &Identity, turn: &Arc<Mutex<()>>) -> Self {
        let blocking_key = identity.blocks().then(|| Arc::clone(turn));
        Self { identity: Some(identity.clone()), blocking_key, config: Arc::default(), ..self }
    }

    /// Sends one request, to the `http://` or `https://` address that it names, and reads the whole answer.
    ///
    /// # Errors
    /// [`HttpError`], with an [`Error`] among its causes where a layer below HTTP failed.
    pub async fn send<B>(
        &self,
        mut request: Request<B>,
        limits: HttpLimits,
    ) -> Result<Response<Bytes>, HttpError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Cause>,
    {
        let server = Server::of(request.uri()).map_err(HttpError::of_request)?;
        to_origin_form(&mut request, &server).map_err(HttpError::of_request)?;
        let connecting = async { self.connect(&server).await.map_err(HttpError::of_connection) };
        let stream = within(limits.connect, "connect", false, connecting).await?;
        within(limits.answer, "answer", true, exchange(stream, request, &server)).await
    }

    async fn connect(&self, server: &Server) -> Result<Stream, Error> {
        let Server { host, port, authority, is_plain } = server;
        // For the log: the attempt's own timeline counts all of this as its step for the credentials.
        let timeline = Timeline::start();
        log::debug!("a call to {authority}");
        if *is_plain && is_metadata(host) {
            return connect_directly(host, *port, &timeline).await;
        }
        let stream = self.route.connect(host, *port, &timeline).await?;
        if *is_plain {
            return Ok(stream);
        }
        let (config, target) = (self.config()?, authority.as_str());
        let stream = tls::connect(config, host, stream, target, self.blocking_key.as_ref()).await;
        Ok(Box::new(stream.map_err(|error| self.route.explain(host, error))?))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = tls::config(self.route.roots(), self.identity.as_ref(), Some(b"http/1.1".to_vec()))?;
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

impl HttpError {
    fn of_request(source: Cause) -> Self {
        Self { kind: HttpErrorKind::User, connected: false, source }
    }

    fn of_connection(error: Error) -> Self {
        let kind = if refuses_login(&error) { HttpErrorKind::User } else { HttpErrorKind::Io };
        Self { kind, connected: false, source: error.into() }
    }
}

/// A call that failed for a reason of this module's own.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// The deadline has passed.
    #[error("no {what} within {} s", limit.as_secs_f32())]
    NoAnswer {
        /// The part of the request that was under way.
        what: &'static str,
        /// The deadline.
        limit: Duration,
    },
    /// The URI has no host.
    #[error("the request names no host")]
    NoHost,
    /// The URI has another scheme.
    #[error("the request is neither http:// nor https://")]
    Scheme,
}

/// Whom a request goes to.
struct Server {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    authority: Authority,
    is_plain: bool,
}

impl Server {
    fn of(uri: &Uri) -> Result<Self, Cause> {
        let named = uri.authority().ok_or(CallFailed::NoHost)?.as_str();
        // A password before the host is for nobody's eyes: errors name the authority.
        let authority: Authority = named.rsplit_once('@').map_or(named, |(_, host)| host).parse()?;
        let is_plain = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => true,
            Some(scheme) if *scheme == Scheme::HTTPS => false,
            _ => return Err(CallFailed::Scheme.into()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        Ok(Self { host, port, authority, is_plain })
    }
}

/// What a server, as against a proxy, is sent: the path alone, the host in its header (RFC 9112 §3.2.1).
fn to_origin_form<B>(request: &mut Request<B>, server: &Server) -> Result<(), Cause> {
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, HeaderValue::from_str(server.authority.as_str())?);
    }
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    Ok(())
}

/// Sends the request and reads the whole answer: the connection ends with this function.
async fn exchange<B>(
    stream: Stream,
    request: Request<B>,
    server: &Server,
) -> Result<Response<Bytes>, HttpError>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Cause>,
{
    let failed = |source| HttpError { kind: HttpErrorKind::Io, connected: true, source };
    let io = |error: hyper::Error| match tls::map_http_error(&error, server.authority.as_str()) {
        Some(known) => failed(known.into()),
        None => failed(error.into()),
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io)?;
    driving(
        Box::pin(connection),
        Box::pin(async {
            let (parts, body) = sender.send_request(request).await.map_err(io)?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(failed)?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }),
    )
    .await
}

fn refuses_login(error: &Error) -> bool {
    matches!(error, Error::Proxy { problem, .. } if matches!(**problem, ProxyProblem::CredentialsRefused(_)))
}

async fn within<T>(
    limit: Option<Duration>,
    what: &'static str,
    connected: bool,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let Some(limit) = limit else { return work.await };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let source = CallFailed::NoAnswer { what, limit }.into();
        Err(HttpError { kind: HttpErrorKind::Timeout, connected, source })
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{Proxies, Proxy, Roots};

    async fn get(uri: &str, route: Route) -> Result<Response<Bytes>, HttpError> {
        let limit = Some(Duration::from_secs(5));
        let request = Request::get(uri).body(String::new()).expect("a request");
        HttpClient::new(&route).send(request, HttpLimits { connect: limit, answer: limit }).await
    }

    /// As [`get`], with everything sent to `proxy`.
    async fn get_through(proxy: &str, uri: &str) -> Result<Response<Bytes>, HttpError> {
        let proxies = Proxies::always(Proxy::parse(proxy).expect("a proxy"));
        get(uri, Route::new(Roots::system(), proxies, Roots::system())).await
    }

    #[tokio::test]
    async fn plain_http() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.expect("reads");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.expect("writes");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let response =
            get(&format!("http://{address}/role?a=b"), Roots::system().into()).await.expect("answers");
        assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"hi"[..]));
        let request = server.await.expect("joins");
        assert!(request.starts_with(&format!("GET /role?a=b HTTP/1.1\r\nhost: {address}\r\n")), "{request}");
    }

    #[test]
    fn a_server_is_named_without_a_password() {
        let server = Server::of(&Uri::from_static("http://me:hush@[::1]:8080/role")).expect("a server");
        assert_eq!(
            (server.authority.as_str(), server.host.as_str(), server.port),
            ("[::1]:8080", "::1", 8080)
        );
    }

    #[tokio::test]
    async fn calls_go_through_the_proxy() {
        // TLS is on its way to the service by its name, which nobody has looked up: ".invalid" has no address.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let proxy = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.expect("reads");
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("writes");
            (String::from_utf8_lossy(&request[..length]).into_owned(), stream.read_u8().await.expect("reads"))
        });
        let error = get_through(&proxy, "https://sts.invalid/").await.expect_err("nobody there");
        assert_eq!(error.kind, HttpErrorKind::Io, "{error:?}");
        let (request, first_byte) = server.await.expect("joins");
        assert!(request.starts_with("CONNECT sts.invalid:443 HTTP/1.1\r\n"), "{request}");
        // A TLS handshake record (RFC 8446 §5.1).
        assert_eq!(first_byte, 0x16);
    }

    #[tokio::test]
    async fn metadata_is_asked_directly() {
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("writes");
        });
        let answer = get_through(&format!("socks5h://{gone}"), &format!("http://{address}/")).await;
        assert_eq!(answer.expect("answers").status().as_u16(), 204);
        // Any other plain call is refused with the proxy.
        assert!(get_through(&format!("http://{gone}"), "http://10.0.0.1/").await.is_err());
    }
}
