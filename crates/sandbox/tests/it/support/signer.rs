//! Signs WebSocket requests and calls to STS, each part open to be made wrong.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sandbox::{Credentials, Sandbox};
use sha2::{Digest, Sha256};

use crate::support::tls::{Answer, http};

/// The parts of a signature.
pub(crate) struct Signer {
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) host: String,
    pub(crate) time: Timestamp,
}

impl Signer {
    /// One that the sandbox accepts.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Signer {
            credentials: sandbox.credentials().clone(),
            region: sandbox.region().to_owned(),
            service: "iotdevicegateway".to_owned(),
            host: format!("localhost:{}", sandbox.https_port()),
            time: Timestamp::now(),
        }
    }

    /// The path and the query without the token, which comes last and is not signed.
    pub(crate) fn target_without_token(&self) -> String {
        let (date, day) =
            (self.time.strftime("%Y%m%dT%H%M%SZ").to_string(), self.time.strftime("%Y%m%d").to_string());
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={date}&X-Amz-SignedHeaders=host",
            self.credentials.access_key_id,
            scope.replace('/', "%2F"),
        );
        let canonical =
            format!("GET\n/mqtt\n{query}\nhost:{}\n\nhost\n{}", self.host, hex::encode(Sha256::digest("")));
        let signature = signature(&self.credentials.secret_access_key, &date, &scope, &canonical);
        format!("/mqtt?{query}&X-Amz-Signature={signature}")
    }

    pub(crate) fn target(&self) -> String {
        let token =
            self.credentials.session_token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("{}&X-Amz-Security-Token={token}", self.target_without_token())
    }

    /// The whole request.
    pub(crate) fn request(&self) -> String {
        upgrade_request(&self.target(), &self.host)
    }
}

/// The parts of a call whose signature is in a header.
pub(crate) struct CallSigner {
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) host: String,
    pub(crate) time: Timestamp,
    /// The body that is sent, and signed.
    pub(crate) body: String,
}

impl CallSigner {
    /// The body that is signed unless a test changes it.
    pub(crate) const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

    /// One that the sandbox accepts.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let Signer { credentials, region, host, time, .. } = Signer::new(sandbox);
        let (service, body) = ("sts".to_owned(), Self::BODY.to_owned());
        CallSigner { credentials, region, service, host, time, body }
    }

    /// The headers of AWS's, each with its line break. An empty token is left out.
    pub(crate) fn headers(&self) -> String {
        let (date, day) =
            (self.time.strftime("%Y%m%dT%H%M%SZ").to_string(), self.time.strftime("%Y%m%d").to_string());
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let token = &self.credentials.session_token;
        let (signed_token, token_name) = match token.as_str() {
            "" => (String::new(), ""),
            token => (format!("x-amz-security-token:{token}\n"), ";x-amz-security-token"),
        };
        let names = format!("host;x-amz-date{token_name}");
        let payload = hex::encode(Sha256::digest(&self.body));
        let canonical =
            format!("POST\n/\n\nhost:{}\nx-amz-date:{date}\n{signed_token}\n{names}\n{payload}", self.host);
        let signature = signature(&self.credentials.secret_access_key, &date, &scope, &canonical);
        let id = &self.credentials.access_key_id;
        let token =
            signed_token.replace("x-amz-security-token:", "X-Amz-Security-Token: ").replace('\n', "\r\n");
        format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\
             X-Amz-Date: {date}\r\n{token}"
        )
    }

    pub(crate) fn send(&self, sandbox: &Sandbox) -> Answer {
        let (host, headers, body) = (&self.host, self.headers(), self.body.as_str());
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n");
        http(sandbox, &(head + body))
    }
}

fn signature(secret_access_key: &str, date: &str, scope: &str, canonical: &str) -> String {
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut key = format!("AWS4{secret_access_key}").into_bytes();
    for part in scope.split('/').chain([to_sign.as_str()]) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    hex::encode(key)
}

/// A WebSocket upgrade of `target`, with the key of RFC 6455's example.
pub(crate) fn upgrade_request(target: &str, host: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    )
}
