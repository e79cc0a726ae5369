//! The AWS SDK's HTTP calls over this project's own TCP, proxies and TLS.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use iot_transport::Route;
use iot_transport::https::{HttpClient, HttpError, HttpErrorKind, HttpLimits};

/// An HTTP client for the SDK.
pub(super) fn client(route: &Route) -> SharedHttpClient {
    let client = HttpClient::new(route);
    http_client_fn(move |settings, _| {
        let limits = HttpLimits { connect: settings.connect_timeout(), answer: settings.read_timeout() };
        SharedHttpConnector::new(Connector { client: client.clone(), limits })
    })
}

#[derive(Debug, Clone)]
struct Connector {
    client: HttpClient,
    limits: HttpLimits,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { client, limits } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = client.send(request, limits).await.map_err(as_the_sdks)?;
            HttpResponse::try_from(answer.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The kind decides whether the SDK tries again.
fn as_the_sdks(HttpError { kind, connected, source }: HttpError) -> ConnectorError {
    let error = match kind {
        HttpErrorKind::User => ConnectorError::user(source),
        HttpErrorKind::Io => ConnectorError::io(source),
        HttpErrorKind::Timeout => ConnectorError::timeout(source),
    };
    if connected { error } else { error.never_connected() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use iot_transport::{Proxies, Proxy, Roots};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn call(uri: &str, route: Route, limit: Duration) -> Result<HttpResponse, ConnectorError> {
        let limits = HttpLimits { connect: Some(limit), answer: Some(limit) };
        let connector = Connector { client: HttpClient::new(&route), limits };
        connector.call(HttpRequest::get(uri).expect("a request")).await
    }

    async fn get(uri: &str, limit: Duration) -> Result<HttpResponse, ConnectorError> {
        call(uri, Roots::system().into(), limit).await
    }

    /// As [`get`], with everything sent to `proxy`.
    async fn get_through(proxy: &str, uri: &str) -> Result<HttpResponse, ConnectorError> {
        let proxies = Proxies::always(Proxy::parse(proxy).expect("a proxy"));
        call(uri, Route::new(Roots::system(), proxies, Roots::system()), Duration::from_secs(5)).await
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
