//! A client of custom authorizers, each of its values open to be sent in any place and in any form.

use std::io::{Read, Write};

use sandbox::{Authorizer, AuthorizerExample, Sandbox, SignedAuthorizerExample, TokenSigning};

use crate::support::mqtt::{Client, Connect, Packet};
use crate::support::tls::{Options, connect};
use crate::support::websocket::WebSocketStream;

/// A key of OpenSSL's, and what it has signed. The signature has each of `+`, `/` and `=`.
pub(crate) const PUBLIC_KEY: &str = include_str!("../../vectors/token.pub.pem");
pub(crate) const TOKEN: &str = "a token / of+its own=";

pub(crate) const POLICY: &str = r#"{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;

/// How the client gets to the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// ALPN `mqtt`.
    Tls,
    WebSocket,
}

pub(crate) const BOTH: [By; 2] = [By::Tls, By::WebSocket];

/// A client that is about to connect.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) by: By,
    pub(crate) level: u8,
    pub(crate) client_id: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// Of the WebSocket request: with its question mark, or empty.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// A TLS connection or a WebSocket.
pub(crate) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Visitor {
    /// Without any value.
    pub(crate) fn new(by: By, level: u8) -> Self {
        Visitor {
            by,
            level,
            client_id: "visitor".to_owned(),
            username: None,
            password: None,
            query: String::new(),
            headers: Vec::new(),
        }
    }

    /// With all that an authorizer without signing needs, in the user name.
    pub(crate) fn unsigned(by: By, level: u8, authorizer: &AuthorizerExample) -> Self {
        Visitor {
            username: Some(format!(
                "{}?x-amz-customauthorizer-name={}",
                authorizer.username, authorizer.name
            )),
            password: Some(authorizer.password.clone()),
            ..Visitor::new(by, level)
        }
    }

    /// With all that an authorizer with signing needs, in the user name.
    pub(crate) fn signed(by: By, level: u8, authorizer: &SignedAuthorizerExample) -> Self {
        let query = query(&signed_values(authorizer));
        Visitor {
            username: Some(format!("{}?{query}", authorizer.username)),
            password: Some(authorizer.password.clone()),
            ..Visitor::new(by, level)
        }
    }

    /// Connects; returns the CONNACK too.
    pub(crate) fn open(&self, sandbox: &Sandbox) -> (Client<Box<dyn Stream>>, Packet) {
        let stream: Box<dyn Stream> = match self.by {
            By::Tls => Box::new(connect(&Options { alpn: &["mqtt"], ..Options::https(sandbox) }).unwrap()),
            By::WebSocket => Box::new(WebSocketStream::open(sandbox, &self.query, &self.headers)),
        };
        let mut client = Client { stream, level: self.level };
        client.send(&self.connect().packet());
        let connack = client.packet();
        assert_eq!(connack.first, 0x20);
        (client, connack)
    }

    /// The same, which has to succeed.
    pub(crate) fn connected(&self, sandbox: &Sandbox) -> Client<Box<dyn Stream>> {
        let (client, connack) = self.open(sandbox);
        assert_eq!(connack.body[1], 0, "{connack:?}");
        client
    }

    /// Requires the CONNACK for "Not authorized", and that the connection is closed behind it.
    #[track_caller]
    pub(crate) fn refused(&self, sandbox: &Sandbox) {
        let (mut client, connack) = self.open(sandbox);
        let expected: &[u8] = if self.level == 5 { &[0, 0x87, 0] } else { &[0, 5] };
        assert_eq!(connack.body, expected, "{:?} {:?}", self.by, self.username);
        client.closed();
    }

    fn connect(&self) -> Connect<'_> {
        Connect {
            level: self.level,
            username: self.username.as_deref(),
            password: self.password.as_deref(),
            ..Connect::v5(&self.client_id)
        }
    }
}

/// The values that a signed authorizer asks for, none of them encoded.
pub(crate) fn signed_values(authorizer: &SignedAuthorizerExample) -> [(String, String); 3] {
    [
        ("x-amz-customauthorizer-name".to_owned(), authorizer.name.clone()),
        (authorizer.token_key_name.clone(), authorizer.token_value.clone()),
        ("x-amz-customauthorizer-signature".to_owned(), authorizer.token_signature.clone()),
    ]
}

/// A query, without its question mark, in which each value is encoded.
pub(crate) fn query(values: &[(String, String)]) -> String {
    values.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// URI-encoded.
pub(crate) fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// An authorizer that lets `user` in with the password `password` and allows everything.
pub(crate) fn authorizer(name: &str) -> Authorizer {
    let mut authorizer = Authorizer::new(name);
    authorizer.users.insert("user".to_owned(), "password".to_owned());
    authorizer.policy_documents = vec![POLICY.to_owned()];
    authorizer
}

/// The same with signing, by OpenSSL's key.
pub(crate) fn signing_authorizer(name: &str) -> Authorizer {
    let signing = TokenSigning { token_key_name: "Token".to_owned(), public_key: PUBLIC_KEY.to_owned() };
    Authorizer { signing: Some(signing), ..authorizer(name) }
}

pub(crate) fn signature() -> &'static str {
    include_str!("../../vectors/token.signature.txt").trim_end()
}

/// The user of [`authorizer`] with this query in the user name, without its question mark.
pub(crate) fn user(by: By, level: u8, query: &str) -> Visitor {
    Visitor {
        username: Some(format!("user?{query}")),
        password: Some("password".to_owned()),
        ..Visitor::new(by, level)
    }
}
