//! HTTP CONNECT (RFC 9110 §9.3.6), one round trip.
//!
//! By hyper, which keeps status, headers and body of a refusal, and the bytes that arrive right behind the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;

use super::server::ProxyCredentials;
use super::{Failure, Heard, HttpAnswer, Listening, ProxyAnswer, ProxyProblem};
use crate::cause::Cause;
use crate::stream::driving;
use crate::tls::tls_cause;
use crate::{Stream, http_refusal};

/// The longest head of an answer, in bytes. It also bounds what is read at a time: a proxy that sends interim answers
/// without an end is read for long otherwise, by hyper's 400 KiB, before a deadline is looked at.
const MAX_HEAD: usize = 32 * 1024;

/// Has the proxy connect to `target`, which is `host:port`, and gives the stream to it.
///
/// # Errors
/// What the proxy answered, or that it did not answer as an HTTP server does. `heard` holds what `stream` heard.
pub(crate) async fn connect(
    stream: Listening,
    heard: &Heard,
    credentials: Option<&ProxyCredentials>,
    target: &str,
) -> Result<Stream, Failure> {
    let failed = |error: hyper::Error| failure(error, heard.bytes());
    let request = request(target, credentials).map_err(|error| Failure {
        source: Some(error),
        ..protocol("the target cannot be named in HTTP", Vec::new())
    })?;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let upgraded = driving(
        Box::pin(connection.with_upgrades()),
        Box::pin(async {
            let mut response = sender.send_request(request).await.map_err(failed)?;
            if !response.status().is_success() {
                let answer = ProxyAnswer::Http(Box::new(read(&mut response).await));
                return Err(meaning(response.status().as_u16(), answer, credentials.is_some()).into());
            }
            let complaint = format!("it answered HTTP {} and opened no way", response.status().as_u16());
            hyper::upgrade::on(response).await.map_err(|_| protocol(&complaint, heard.bytes()))
        }),
    );
    Ok(Box::new(TokioIo::new(upgraded.await?)))
}

/// The target stands in the request line and, the same, in Host (RFC 9112 §3.2.3).
fn request(target: &str, credentials: Option<&ProxyCredentials>) -> Result<Request<Empty<Bytes>>, Cause> {
    let mut request = Request::builder().method(Method::CONNECT).uri(target).header(HOST, target);
    if let Some(credentials) = credentials {
        let mut value = HeaderValue::from_str(&format!("Basic {}", sent_login(credentials)))?;
        value.set_sensitive(true);
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    Ok(request.body(Empty::new())?)
}

/// User name and password as they are sent (RFC 7617 §2).
pub(super) fn sent_login(credentials: &ProxyCredentials) -> String {
    STANDARD.encode(format!("{}:{}", credentials.user(), credentials.password()))
}

async fn read(response: &mut Response<Incoming>) -> HttpAnswer {
    let reason = match response.extensions().get::<ReasonPhrase>() {
        Some(reason) => reason.as_bytes().escape_ascii().to_string(),
        None => response.status().canonical_reason().unwrap_or_default().to_owned(),
    };
    let text = |value: &HeaderValue| value.as_bytes().escape_ascii().to_string();
    let headers =
        response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = http_refusal::read_body(response).await;
    HttpAnswer {
        status: response.status().as_u16(),
        reason,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// RFC 9110 §15.5.8 has 407 for both; tinyproxy answers 401 to credentials that it does not know.
fn meaning(status: u16, answer: ProxyAnswer, with_credentials: bool) -> ProxyProblem {
    match (status, with_credentials) {
        (401 | 407, true) => ProxyProblem::CredentialsRefused(answer),
        (401 | 407, false) => ProxyProblem::CredentialsWanted(answer),
        _ => ProxyProblem::Refused(answer),
    }
}

fn failure(error: hyper::Error, said: Vec<u8>) -> Failure {
    if tls_cause(&error).is_some() {
        // Over TLS 1.3 a proxy that wants a client certificate says so here.
        return Failure { problem: ProxyProblem::Unreachable, source: Some(error.into()) };
    }
    if error.is_parse() {
        return protocol("it does not speak HTTP", said);
    }
    // Canceled: it closed the connection before the request was sent.
    if (error.is_incomplete_message() || error.is_canceled()) && said.is_empty() {
        return protocol("it closed the connection without an answer", said);
    }
    if error.is_incomplete_message() {
        return protocol("it closed the connection in the middle of its answer", said);
    }
    Failure { source: Some(error.into()), ..protocol("the connection to it broke", said) }
}

fn protocol(complaint: &str, said: Vec<u8>) -> Failure {
    ProxyProblem::Protocol { complaint: complaint.to_owned(), said }.into()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
