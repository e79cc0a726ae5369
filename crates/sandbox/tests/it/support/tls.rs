//! A blocking TLS client.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use sandbox::{Device, Sandbox};

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What a test varies.
pub(crate) struct Options<'a> {
    pub(crate) ca_file: &'a Path,
    pub(crate) port: u16,
    pub(crate) device: Option<&'a Device>,
    pub(crate) alpn: &'a [&'a str],
    pub(crate) server_name: bool,
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
}

impl<'a> Options<'a> {
    /// Mutual TLS to the MQTT port.
    pub(crate) fn mqtt(sandbox: &'a Sandbox) -> Self {
        Options {
            ca_file: sandbox.ca_file(),
            port: sandbox.mqtt_port(),
            device: Some(sandbox.device()),
            alpn: &[],
            server_name: true,
            versions: rustls::DEFAULT_VERSIONS,
        }
    }

    /// TLS to the HTTPS port.
    pub(crate) fn https(sandbox: &'a Sandbox) -> Self {
        Options { port: sandbox.https_port(), device: None, ..Options::mqtt(sandbox) }
    }
}

/// Connects and completes the handshake. In TLS 1.3 a client learns only with the first read that its certificate was
/// refused.
pub(crate) fn connect(options: &Options<'_>) -> io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(options.ca_file)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(options.versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match options.device {
        Some(device) => {
            let key = PrivateKeyDer::from_pem_file(&device.key_file).unwrap();
            config.with_client_auth_cert(vec![certificate(&device.cert_file)], key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = options.alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
    config.enable_sni = options.server_name;
    let mut tcp = TcpStream::connect(("127.0.0.1", options.port))?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    tcp.set_nodelay(true)?;
    let mut tls =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(tls, tcp))
}

fn certificate(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(candidate, _)| candidate == name).map_or("", |(_, value)| value)
    }

    /// The body.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `message` of the JSON body.
    pub(crate) fn message(&self) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert!(json["traceId"].is_string(), "{json}");
        json["message"].as_str().unwrap().to_owned()
    }
}

/// Sends a request as it is to the HTTPS port and reads the answer.
pub(crate) fn http(sandbox: &Sandbox, request: &str) -> Answer {
    exchange(&mut connect(&Options::https(sandbox)).unwrap(), request)
}

/// Sends a request as it is and reads the answer.
pub(crate) fn exchange(stream: &mut (impl Read + Write), request: &str) -> Answer {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Answer { status: 0, headers: Vec::new(), body: String::new() };
    let mut length = 0;
    loop {
        let line = line(stream);
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) => {
                let name = name.to_ascii_lowercase();
                if name == "content-length" {
                    length = value.parse().unwrap();
                }
                answer.headers.push((name, value.to_owned()));
            }
            None => answer.status = line.split(' ').nth(1).unwrap().parse().unwrap(),
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    answer.body = String::from_utf8(body).unwrap();
    answer
}

fn line(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap().trim_end().to_owned()
}

/// The text of a file.
pub(crate) fn text(file: &Path) -> String {
    let mut text = String::new();
    BufReader::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}
