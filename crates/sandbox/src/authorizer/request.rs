//! What a client has sent that an authorizer may look at.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::authorizer::Refusal;

/// The name of the authorizer.
pub(super) const NAME: &str = "x-amz-customauthorizer-name";
/// The signature of its token.
pub(super) const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// What came before the CONNECT.
#[derive(Clone)]
pub(crate) struct Handshake {
    /// Server Name Indication.
    pub(crate) server_name: Option<String>,
    /// `None` when MQTT is spoken directly.
    pub(crate) http: Option<HttpData>,
}

/// The request that has opened a WebSocket.
#[derive(Clone)]
pub(crate) struct HttpData {
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// As it was sent, without the question mark.
    pub(crate) query: Option<String>,
}

/// All that a client has sent up to its CONNECT. It is kept while the connection lasts, since the authorizer is invoked
/// with it again.
#[derive(Clone)]
pub(crate) struct ConnectRequest {
    pub(crate) connection: Uuid,
    pub(crate) handshake: Handshake,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    /// `None` when the client left it to the server.
    pub(crate) client_id: Option<String>,
}

impl ConnectRequest {
    /// The value of a name: from the user name's query, from the request's query, or from its headers, in this order.
    /// What stands in a query is URI-decoded once, a header is taken as it is.
    pub(super) fn value(&self, name: &str) -> Result<Option<String>, Refusal> {
        let user_query = self.username.as_deref().and_then(|username| username.split_once('?'));
        let http = self.handshake.http.as_ref();
        let queries = [user_query.map(|(_, query)| query), http.and_then(|http| http.query.as_deref())];
        for query in queries.into_iter().flatten() {
            if let Some(value) = find(query, name) {
                return value.map(Some).ok_or_else(|| Refusal::NotText(name.to_owned()));
            }
        }
        let mut headers = http.into_iter().flat_map(|http| &http.headers);
        let header = headers.find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        Ok(header.map(|(_, value)| value.clone()))
    }

    /// The event that the Lambda function is invoked with. What does not belong to the request is absent.
    pub(super) fn input(&self, token: Option<&str>, signature_verified: bool) -> Value {
        let mut protocols = vec!["tls"];
        let mut data = Map::new();
        if let Some(server_name) = &self.handshake.server_name {
            data.insert("tls".to_owned(), json!({ "serverName": server_name }));
        }
        if let Some(http) = &self.handshake.http {
            protocols.push("http");
            data.insert("http".to_owned(), http.input());
        }
        protocols.push("mqtt");
        data.insert("mqtt".to_owned(), self.mqtt());

        let mut input = json!({
            "signatureVerified": signature_verified,
            "protocols": protocols,
            "protocolData": data,
            "connectionMetadata": { "id": self.connection.to_string() },
        });
        if let Some(token) = token {
            input["token"] = token.into();
        }
        input
    }

    fn mqtt(&self) -> Value {
        let mut mqtt = Map::new();
        if let Some(username) = &self.username {
            mqtt.insert("username".to_owned(), username.as_str().into());
        }
        if let Some(password) = &self.password {
            mqtt.insert("password".to_owned(), STANDARD.encode(password).into());
        }
        if let Some(client_id) = &self.client_id {
            mqtt.insert("clientId".to_owned(), client_id.as_str().into());
        }
        Value::Object(mqtt)
    }
}

impl HttpData {
    fn input(&self) -> Value {
        // A name that is there several times is one with a list (RFC 9110 §5.3).
        let mut headers: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            headers
                .entry(name)
                .and_modify(|list| {
                    list.push_str(", ");
                    list.push_str(value);
                })
                .or_insert_with(|| value.clone());
        }
        let mut http = json!({ "headers": headers });
        if let Some(query) = &self.query {
            http["queryString"] = format!("?{query}").into();
        }
        http
    }
}

/// The first value of that name in a query, decoded; `Some(None)` when it is not UTF-8.
fn find(query: &str, name: &str) -> Option<Option<String>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key).as_deref() == Some(name)).then(|| decode(value))
    })
}

/// A part of a query as forms write it: `+` is a space.
fn decode(part: &str) -> Option<String> {
    let spaced = part.replace('+', " ");
    Some(percent_decode(spaced.as_bytes()).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(username: Option<&str>, http: Option<(&str, &[(&str, &str)])>) -> ConnectRequest {
        let http = http.map(|(query, headers)| HttpData {
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            query: (!query.is_empty()).then(|| query.to_owned()),
        });
        ConnectRequest {
            connection: Uuid::nil(),
            handshake: Handshake { server_name: Some("localhost".to_owned()), http },
            username: username.map(str::to_owned),
            password: Some(b"pass".to_vec()),
            client_id: Some("id".to_owned()),
        }
    }

    #[test]
    fn values_come_from_three_places() {
        let value = |username, http| request(username, http).value("key").unwrap();
        for (username, http, expected) in [
            (Some("user?key=a"), None, Some("a")),
            (Some("?key=a"), None, Some("a")),
            (Some("user?other=x&key=a"), None, Some("a")),
            // The second question mark belongs to a value.
            (Some("user?other=x?key=a"), None, None),
            (Some("key=a"), None, None),
            (None, Some(("key=a", &[][..])), Some("a")),
            (None, Some(("", &[("key", "a")][..])), Some("a")),
            (Some("user?key=1"), Some(("key=2", &[("key", "3")][..])), Some("1")),
            (Some("user"), Some(("key=2", &[("key", "3")][..])), Some("2")),
            // Decoded once, in a query alone.
            (Some("u?key=a%2Bb%2Fc%3D"), None, Some("a+b/c=")),
            (Some("u?key=a+b/c="), None, Some("a b/c=")),
            (Some("u?key=a%252Bb"), None, Some("a%2Bb")),
            (None, Some(("", &[("key", "a+b%2B")][..])), Some("a+b%2B")),
            (Some("u?key"), None, Some("")),
            (None, None, None),
        ] {
            assert_eq!(value(username, http).as_deref(), expected, "{username:?}");
        }
        let refusal = request(Some("u?key=%FF"), None).value("key").unwrap_err();
        assert_eq!(refusal, Refusal::NotText("key".to_owned()));
    }

    #[test]
    fn header_names_have_no_case() {
        let headers = [("x-token", "a")];
        assert_eq!(request(None, Some(("", &headers))).value("X-Token").unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn the_input_is_the_documented_one() {
        let id = "00000000-0000-0000-0000-000000000000";
        assert_eq!(
            request(Some("user?a=b"), None).input(None, false),
            json!({
                "signatureVerified": false,
                "protocols": ["tls", "mqtt"],
                "protocolData": {
                    "tls": { "serverName": "localhost" },
                    "mqtt": { "username": "user?a=b", "password": "cGFzcw==", "clientId": "id" },
                },
                "connectionMetadata": { "id": id },
            })
        );
        let mut request = request(None, Some(("a=%20", &[("host", "h"), ("x", "1"), ("x", "2")])));
        (request.password, request.client_id) = (None, None);
        assert_eq!(
            request.input(Some("token"), true),
            json!({
                "token": "token",
                "signatureVerified": true,
                "protocols": ["tls", "http", "mqtt"],
                "protocolData": {
                    "tls": { "serverName": "localhost" },
                    "http": { "headers": { "host": "h", "x": "1, 2" }, "queryString": "?a=%20" },
                    "mqtt": {},
                },
                "connectionMetadata": { "id": id },
            })
        );
    }
}
