//! A broker that a test plays.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use common::{CredentialSource, SigV4, StaticCredentials};
use iot_client::{Auth, ClientOptions, Quotas};
use iot_transport::{Endpoint, Identity, Roots};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// A TLS server that lets a test answer MQTT as no proper broker does.
pub(crate) struct OddBroker {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    folder: tempfile::TempDir,
}

impl OddBroker {
    pub(crate) async fn start() -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cert.pem"), signed.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), signed.signing_key.serialize_pem()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), folder }
    }

    pub(crate) fn options(&self) -> ClientOptions {
        let folder = self.folder.path();
        let identity = Identity::from_pem_files(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
        self.options_for(Auth::MutualTls(identity))
    }

    /// The same over WebSocket.
    pub(crate) fn websocket_options(&self) -> ClientOptions {
        let credentials = CredentialSource::Static(StaticCredentials::new("id", "key", None));
        self.options_for(Auth::from(SigV4::new(credentials, "us-east-1".to_owned())))
    }

    fn options_for(&self, auth: Auth) -> ClientOptions {
        let certificate = self.folder.path().join("cert.pem");
        let port = self.listener.local_addr().unwrap().port();
        let endpoint = Endpoint::parse("localhost").unwrap().with_port(port);
        let mut options =
            ClientOptions::new(endpoint, auth, Roots::from_file(certificate), "test-1").unwrap();
        options.quotas = Quotas::none();
        options.reconnect_minimum = Duration::from_millis(1);
        options.reconnect_maximum = Duration::from_millis(1);
        options.connect_interval = Duration::ZERO;
        options
    }

    /// A connection that is ready for whatever is spoken over TLS.
    pub(crate) async fn accept(&self) -> TlsStream<TcpStream> {
        let (stream, _) = self.listener.accept().await.unwrap();
        self.acceptor.accept(stream).await.unwrap()
    }

    /// A connection whose CONNECT has been read.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let mut stream = self.accept().await;
        assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
        stream
    }
}

/// CONNACK of MQTT 5, accepted, without properties.
pub(crate) const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];

/// A CONNACK of MQTT 5 that accepts the connection, with these properties.
pub(crate) fn connack(properties: &[u8]) -> Vec<u8> {
    let length = properties.len() as u8;
    [&[0x20, 3 + length, 0, 0, length], properties].concat()
}

/// The next packet: its first byte, what follows the fixed header, and the size of the whole.
pub(crate) async fn packet(stream: &mut TlsStream<TcpStream>) -> (u8, Vec<u8>, usize) {
    let first = stream.read_u8().await.unwrap();
    let (mut length, mut header) = (0, 1);
    loop {
        let byte = stream.read_u8().await.unwrap();
        length |= usize::from(byte & 0x7f) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (first, body, header + length)
}
