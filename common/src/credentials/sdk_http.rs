//! The AWS SDK's HTTP calls over this crate's own TCP, proxies and TLS.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::sync::Mutex;

use crate::error::Cause;
use crate::timeline::Timeline;
use crate::transport::proxy::is_metadata;
use crate::transport::route::connect_directly;
use crate::transport::{Error, Identity, ProxyProblem, Route, Stream, driving, tls};

/// The largest answer that is read, in bytes. Credentials take a few thousand.
const MAX_BODY: usize = 1024 * 1024;

/// An HTTP client for the SDK. It opens a connection for each call: there is about one an hour.
pub(super) fn client(route: &Route) -> SharedHttpClient {
    let tls = Tls::new(route);
    http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector { tls: tls.clone(), settings: settings.clone() })
    })
}

/// Sends one request with a client certificate, in its `turn` where a signature of the key may block. The caller sets
/// the deadline.
///
/// # Errors
/// What the SDK would be told, with one of this crate's errors among the causes where TLS failed.
pub(super) async fn send(
    request: HttpRequest,
    route: &Route,
    identity: &Identity,
    turn: &Arc<Mutex<()>>,
) -> Result<HttpResponse, ConnectorError> {
    let blocking_key = identity.blocks().then(|| Arc::clone(turn));
    let tls = Tls { identity: Some(identity.clone()), blocking_key, ..Tls::new(route) };
    Connector { tls, settings: HttpConnectorSettings::default() }.send(request).await
}

/// Asks for what is at `uri`, without a client certificate. The caller sets the deadline.
///
/// # Errors
/// As [`send`].
pub(crate) async fn get(uri: &str, route: &Route) -> Result<HttpResponse, ConnectorError> {
    let request = HttpRequest::get(uri).map_err(|error| ConnectorError::user(error.into()))?;
    Connector { tls: Tls::new(route), settings: HttpConnectorSettings::default() }.send(request).await
}

/// The TLS configuration, made at the first call to an `https://` address.
#[derive(Debug, Clone)]
struct Tls {
    route: Route,
    identity: Option<Identity>,
    /// Where a signature of the private key may block: whose turn it is.
    blocking_key: Option<Arc<Mutex<()>>>,
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Debug, Clone)]
struct Connector {
    tls: Tls,
    settings: HttpConnectorSettings,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { connector.send(request).await })
    }
}

impl Connector {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let user = |problem: Cause| ConnectorError::user(problem);
        let mut request = request.try_into_http1x().map_err(|error| user(error.into()))?;
        let server = Server::of(request.uri()).map_err(user)?;
        to_origin_form(&mut request, &server).map_err(user)?;

        let stream = within(self.settings.connect_timeout(), "connect", async {
            self.connect(&server).await.map_err(|error| match refuses_login(&error) {
                // What the SDK does not try again: accounts lock themselves after some wrong passwords.
                true => ConnectorError::user(error.into()),
                false => ConnectorError::io(error.into()),
            })
        })
        .await
        .map_err(ConnectorError::never_connected)?;
        let response =
            within(self.settings.read_timeout(), "answer", exchange(stream, request, &server)).await?;
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }

    async fn connect(&self, server: &Server) -> Result<Stream, Error> {
        let Server { host, port, authority, is_plain } = server;
        let route = &self.tls.route;
        // For the log: the attempt's own timeline counts all of this as its step for the credentials.
        let timeline = Timeline::start();
        log::debug!("a call to {authority}");
        if *is_plain && is_metadata(host) {
            return connect_directly(host, *port, &timeline).await;
        }
        let stream = route.connect(host, *port, &timeline).await?;
        if *is_plain {
            return Ok(stream);
        }
        let (config, target) = (self.tls.config()?, authority.as_str());
        let turn = self.tls.blocking_key.as_ref();
        let stream = tls::connect(config, host, stream, target, turn).await;
        Ok(Box::new(stream.map_err(|error| route.explain(host, error))?))
    }
}

impl Tls {
    /// Without a client certificate.
    fn new(route: &Route) -> Self {
        Self { route: route.clone(), identity: None, blocking_key: None, config: Arc::default() }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = tls::config(self.route.roots(), self.identity.as_ref(), Some(b"http/1.1".to_vec()))?;
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

/// A call that failed for a reason of this module's own.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailed {
    #[error("no {what} within {} s", limit.as_secs_f32())]
    NoAnswer { what: &'static str, limit: Duration },
    #[error("the request names no host")]
    NoHost,
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
fn to_origin_form(request: &mut Request<SdkBody>, server: &Server) -> Result<(), Cause> {
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, HeaderValue::from_str(server.authority.as_str())?);
    }
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    Ok(())
}

/// Sends the request and reads the whole answer: the connection ends with this function.
async fn exchange(
    stream: Stream,
    request: Request<SdkBody>,
    server: &Server,
) -> Result<Response<SdkBody>, ConnectorError> {
    let io = |error: hyper::Error| {
        ConnectorError::io(match tls::map_http_error(&error, server.authority.as_str()) {
            Some(known) => known.into(),
            None => error.into(),
        })
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io)?;
    driving(
        Box::pin(connection),
        Box::pin(async {
            let (parts, body) = sender.send_request(request).await.map_err(io)?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(ConnectorError::io)?;
            Ok(Response::from_parts(parts, SdkBody::from(body.to_bytes())))
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
    work: impl Future<Output = Result<T, ConnectorError>>,
) -> Result<T, ConnectorError> {
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(ConnectorError::timeout(CallFailed::NoAnswer { what, limit }.into()))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::transport::{Proxies, Proxy, Roots};

    fn connector(limit: Duration) -> Connector {
        Connector {
            tls: Tls::new(&Roots::system().into()),
            settings: HttpConnectorSettings::builder().connect_timeout(limit).read_timeout(limit).build(),
        }
    }

    async fn get(uri: &str, limit: Duration) -> Result<HttpResponse, ConnectorError> {
        connector(limit).call(HttpRequest::get(uri).expect("a request")).await
    }

    /// As [`get`], with everything sent to `proxy`.
    async fn get_through(proxy: &str, uri: &str) -> Result<HttpResponse, ConnectorError> {
        let proxies = Proxies::always(Proxy::parse(proxy).expect("a proxy"));
        let route = Route::new(Roots::system(), proxies, Roots::system());
        let mut connector = connector(Duration::from_secs(5));
        connector.tls.route = route;
        connector.call(HttpRequest::get(uri).expect("a request")).await
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
            get(&format!("http://{address}/role?a=b"), Duration::from_secs(5)).await.expect("answers");
        assert_eq!((response.status().as_u16(), response.body().bytes()), (200, Some(&b"hi"[..])));
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
        assert!(error.is_io(), "{error:?}");
        let (request, first_byte) = server.await.expect("joins");
        assert!(request.starts_with("CONNECT sts.invalid:443 HTTP/1.1\r\n"), "{request}");
        // A TLS handshake record (RFC 8446 §5.1).
        assert_eq!(first_byte, 0x16);
    }

    #[tokio::test]
    async fn a_wrong_password_for_the_proxy_is_not_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("writes");
            }
        });
        for (user, is_final) in [("bob:hunter2@", true), ("", false)] {
            let error = get_through(&format!("http://{user}{address}"), "https://sts.invalid/").await;
            assert_eq!(error.expect_err("refused").is_user(), is_final, "{user}");
        }
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

    #[tokio::test]
    async fn a_silent_server_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        for scheme in ["http", "https"] {
            let error =
                get(&format!("{scheme}://{address}/"), Duration::from_millis(50)).await.expect_err("silent");
            assert!(error.is_timeout(), "{scheme}: {error:?}");
        }
    }

    #[tokio::test]
    async fn failures_have_their_kind() {
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("an address");
        let limit = Duration::from_secs(5);
        assert!(get(&format!("http://{gone}/"), limit).await.expect_err("refused").is_io());
        assert!(get("ftp://a.example/", limit).await.expect_err("a scheme").is_user());
    }
}
