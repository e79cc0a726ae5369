//! Signs WebSocket requests, each part open to be made wrong.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sandbox::{Credentials, Sandbox};
use sha2::{Digest, Sha256};

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
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let mut key = format!("AWS4{}", self.credentials.secret_access_key).into_bytes();
        for part in scope.split('/').chain([to_sign.as_str()]) {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        format!("/mqtt?{query}&X-Amz-Signature={}", hex::encode(key))
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

/// A WebSocket upgrade of `target`, with the key of RFC 6455's example.
pub(crate) fn upgrade_request(target: &str, host: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    )
}
