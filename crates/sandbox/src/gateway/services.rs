//! HTTP for the services that give out credentials.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::clock::http_date;
use crate::gateway::body::{Body, full};
use crate::gateway::refusal::HttpRefusal;
use crate::gateway::{Gateway, HEADER_TIMEOUT};
use crate::services::{CredentialEndpoint, ServiceRequest, Services};

/// The longest body of a request, in bytes. Tokens of identity providers have some kilobytes.
const BODY: usize = 64 * 1024;
/// How long a client may take to send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves one connection to the metadata port.
pub(super) async fn serve_metadata(
    gateway: Arc<Gateway>,
    tcp: TcpStream,
    peer: SocketAddr,
) -> anyhow::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let gateway = Arc::clone(&gateway);
        async move {
            tokio::time::sleep(gateway.services.metadata_delay).await;
            let endpoint = Services::on_metadata(request.uri().path());
            let mut response = answer(&gateway, endpoint, request, peer, None)
                .await
                .unwrap_or_else(HttpRefusal::into_response);
            set_date(&mut response, &gateway);
            Ok::<_, Infallible>(response)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(tcp), service)
        .await
        .context("the HTTP connection failed")
}

/// Reads the whole request and has the service answer it. `certificate` is the client's, DER.
pub(super) async fn answer(
    gateway: &Gateway,
    endpoint: CredentialEndpoint,
    request: Request<Incoming>,
    peer: SocketAddr,
    certificate: Option<&[u8]>,
) -> Result<Response<Body>, HttpRefusal> {
    let (head, body) = request.into_parts();
    let too_long = || {
        let message = "The body is too long or incomplete";
        HttpRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", message)
    };
    // One whose length is known is refused before it is sent.
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_long());
    }
    let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY).collect())
        .await
        .map_err(|_| {
            HttpRefusal::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", "No body in time")
        })?
        .map_err(|_| too_long())?
        .to_bytes();
    let request = ServiceRequest {
        peer: peer.ip(),
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body: &body,
        certificate,
    };
    let answer = gateway.services.answer(endpoint, &request, &gateway.account);
    log::info!("{peer}: {endpoint:?} answered with {}: {:?}", answer.status, answer.outcome);

    let mut response = Response::new(full(answer.body.into_bytes()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// The `Date` by the sandbox's clock, instead of hyper's.
pub(super) fn set_date(response: &mut Response<Body>, gateway: &Gateway) {
    if let Ok(date) = HeaderValue::from_str(&http_date(gateway.account.clock.now())) {
        response.headers_mut().insert(DATE, date);
    }
}
