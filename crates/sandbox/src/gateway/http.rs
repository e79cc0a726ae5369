//! The HTTP side of the HTTPS port: the WebSocket upgrade of a signed request, or of one for a custom authorizer.
//! Requests for credentials go on to [`services`].

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::authorizer::{Handshake, HttpData};
use crate::connections::{Connection, Transport};
use crate::gate::{Authentication, Client};
use crate::gateway::body::Body;
use crate::gateway::refusal::HttpRefusal;
use crate::gateway::websocket::WebSocketBytes;
use crate::gateway::{Gateway, HEADER_TIMEOUT, server_name, services};
use crate::names::ENDPOINT;
use crate::services::Services;
use crate::sigv4::{self, Refusal, SignedRequest, Verified};

/// The subprotocol of MQTT over WebSocket (MQTT 5 §6).
const SUBPROTOCOL: &str = "mqtt";

/// The longest WebSocket message and frame taken, in bytes: far more than a packet, so that the gate can tell a client
/// that its packet is too large.
const MESSAGE: usize = 4 * 1024 * 1024;

/// Serves one HTTP connection, and MQTT on it after an upgrade.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    tls: TlsStream<TcpStream>,
    peer: SocketAddr,
    alpn: Option<String>,
) -> anyhow::Result<()> {
    let certificates = tls.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(|chain| chain.first()).map(|first| first.as_ref().to_vec());
    let connection = HttpConnection { gateway, peer, alpn, server_name: server_name(&tls), certificate };
    let service = service_fn(|request| async { Ok::<_, Infallible>(connection.answer(request).await) });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(tls), service)
        .with_upgrades()
        .await
        .context("the HTTP connection failed")
}

/// What all requests of a connection have in common.
struct HttpConnection {
    gateway: Arc<Gateway>,
    peer: SocketAddr,
    alpn: Option<String>,
    server_name: Option<String>,
    /// The client's, DER; only the IoT credentials provider looks at it.
    certificate: Option<Vec<u8>>,
}

impl HttpConnection {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = self.route(request).await.unwrap_or_else(|refusal| {
            log::info!("{}: refused with {}: {}", self.peer, refusal.status, refusal.message);
            refusal.into_response()
        });
        services::set_date(&mut response, &self.gateway);
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, HttpRefusal> {
        check_target(&request)?;
        match Services::on_https(request.method(), request.uri().path(), request.headers()) {
            Some(endpoint) => {
                check_host(request.headers())?;
                let certificate = self.certificate.as_deref();
                services::answer(&self.gateway, endpoint, request, self.peer, certificate).await
            }
            None => self.upgrade(request),
        }
    }

    fn upgrade(&self, mut request: Request<Incoming>) -> Result<Response<Body>, HttpRefusal> {
        let accept = websocket_accept(&request)?;
        let (authentication, signature) = self.authenticate(&request)?;

        let peer = self.peer;
        let (access_key_id, amz_date) = signature.unzip();
        let connection = Connection {
            access_key_id,
            ..Connection::new(Transport::WebSocket, authentication.principal(), self.alpn.clone(), amz_date)
        };
        let entry = self.gateway.account.connections.add(connection);
        let client = Client { peer, authentication, entry };
        let upgraded = hyper::upgrade::on(&mut request);
        let gateway = Arc::clone(&self.gateway);
        tokio::spawn(async move {
            match upgraded.await {
                Ok(stream) => {
                    let config = WebSocketConfig::default()
                        .max_message_size(Some(MESSAGE))
                        .max_frame_size(Some(MESSAGE));
                    let stream =
                        WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config))
                            .await;
                    gateway.mqtt(WebSocketBytes::new(stream), client).await;
                }
                Err(error) => log::info!("{peer}: the upgrade failed: {error}"),
            }
        });
        let mut response = Response::new(Empty::new().boxed());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        Ok(response)
    }

    /// Who sends the request, and the access key ID and the `X-Amz-Date` of its signature. Without any signature the
    /// request is for a custom authorizer, which decides once CONNECT is there.
    fn authenticate(
        &self,
        request: &Request<Incoming>,
    ) -> Result<(Authentication, Option<(String, String)>), HttpRefusal> {
        let account = &self.gateway.account;
        let headers = sigv4::header_pairs(request.headers());
        let query = request.uri().query();
        let signed = SignedRequest {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: query.unwrap_or_default(),
            headers: &headers,
            // An upgrade has none.
            body: b"",
        };
        if !sigv4::is_attempted(&signed) {
            check_host(request.headers())?;
            log::info!("{}: an unsigned request: a custom authorizer decides at CONNECT", self.peer);
            let http = Some(HttpData { query: query.map(str::to_owned), headers });
            let handshake = Handshake { server_name: self.server_name.clone(), http };
            return Ok((Authentication::CustomAuthorizer(handshake), None));
        }
        let verified = account.verifier.verify(signed, account.clock.now()).and_then(|verified| {
            // AWS IoT takes a signature for another host as a wrong one.
            check_host(request.headers()).map(|()| verified).map_err(|_| Refusal::WrongSignature)
        });
        let Verified { holder, access_key_id, amz_date } = verified.map_err(|refusal| {
            HttpRefusal::new(StatusCode::FORBIDDEN, "ForbiddenException", &refusal.to_string())
        })?;
        log::info!("{}: authenticated as {} by its signature", self.peer, holder.principal());
        Ok((Authentication::Signature(holder), Some((access_key_id, amz_date))))
    }
}

/// Checks that a request names its host in one way only.
fn check_target(request: &Request<Incoming>) -> Result<(), HttpRefusal> {
    // What a target of absolute form names would outdo the header (RFC 9112 §3.2.2), and is not signed.
    if request.uri().authority().is_some() {
        return Err(bad("The request target must be a path"));
    }
    if request.headers().get_all(HOST).iter().count() != 1 {
        return Err(bad("Exactly one Host header is required"));
    }
    Ok(())
}

/// Checks that a request is for this host. On AWS the name is what leads to an account and to a service.
fn check_host(headers: &HeaderMap) -> Result<(), HttpRefusal> {
    if headers.get(HOST).is_some_and(is_own_host) {
        return Ok(());
    }
    let message = "The Host header names another endpoint";
    Err(HttpRefusal::new(StatusCode::MISDIRECTED_REQUEST, "MisdirectedRequestException", message))
}

/// Checks everything else about an upgrade but who sends it; returns `Sec-WebSocket-Accept` (RFC 6455 §4.2).
fn websocket_accept(request: &Request<Incoming>) -> Result<HeaderValue, HttpRefusal> {
    if request.version() != Version::HTTP_11 {
        return Err(bad("HTTP/1.1 is required"));
    }
    if request.uri().path() != "/mqtt" {
        return Err(HttpRefusal::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", "Not found"));
    }
    if request.method() != Method::GET {
        return Err(HttpRefusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowedException",
            "Method not allowed",
        ));
    }
    let headers = request.headers();
    let lists = |name, token| tokens(headers, name).any(|listed| listed.eq_ignore_ascii_case(token));
    if !lists(CONNECTION.as_str(), "upgrade") || !lists(UPGRADE.as_str(), "websocket") {
        return Err(HttpRefusal::new(
            StatusCode::UPGRADE_REQUIRED,
            "UpgradeRequiredException",
            "Upgrade required",
        ));
    }
    if !request.body().is_end_stream() {
        return Err(bad("A WebSocket request has no body"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(bad("Sec-WebSocket-Version must be 13"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or_else(|| bad("Sec-WebSocket-Key is missing"))?;
    if STANDARD.decode(key).ok().is_none_or(|nonce| nonce.len() != 16) {
        return Err(bad("Sec-WebSocket-Key must be 16 bytes in Base64"));
    }
    if !tokens(headers, SEC_WEBSOCKET_PROTOCOL.as_str()).any(|offered| offered == SUBPROTOCOL) {
        return Err(bad("Sec-WebSocket-Protocol must offer mqtt"));
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| bad("Sec-WebSocket-Key is not valid"))
}

fn bad(message: &str) -> HttpRefusal {
    HttpRefusal::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
}

/// Whether a `Host` names this machine. Its port may be that of a relay or a proxy in between.
fn is_own_host(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    name.eq_ignore_ascii_case(ENDPOINT) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// The tokens of a header's comma-separated lists.
fn tokens<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_host_is_known_by_its_name() {
        for (host, own) in [
            ("localhost", true),
            ("LocalHost:8443", true),
            ("localhost:", false),
            ("localhost:x", false),
            ("localhost.example.com", false),
            ("127.0.0.1:8443", false),
            ("[::1]:8443", false),
            ("", false),
        ] {
            assert_eq!(is_own_host(&HeaderValue::from_static(host)), own, "{host}");
        }
    }
}
