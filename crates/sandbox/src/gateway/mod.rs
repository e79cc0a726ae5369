//! The front door: TLS, client certificates, ALPN and signed requests. It decides who a client is, unless that is up to
//! a custom authorizer, then hands the stream to the gate.

mod body;
mod http;
mod listener;
mod refusal;
mod services;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::account::Account;
use crate::broker::Broker;
use crate::gate::{self, Client};
use crate::services::Services;

pub(crate) use self::listener::{Port, TlsPort};

/// How long a client may take for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What every connection needs.
pub(crate) struct Gateway {
    pub(crate) account: Arc<Account>,
    pub(crate) services: Arc<Services>,
    pub(crate) broker: Arc<Broker>,
}

impl Gateway {
    async fn mqtt<S: AsyncRead + AsyncWrite + Send>(&self, stream: S, client: Client) {
        gate::serve(stream, client, &self.account, &self.broker).await;
    }
}

fn server_name(tls: &TlsStream<TcpStream>) -> Option<String> {
    tls.get_ref().1.server_name().map(str::to_owned)
}
