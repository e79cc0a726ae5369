//! One authorizer: what AWS IoT knows of it, and what its Lambda function does.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::secret;

/// A custom authorizer for [`Sandbox::set_authorizer`](crate::Sandbox::set_authorizer): an entry of AWS's table, and a
/// Lambda function that knows some users. Nothing about the answer is checked before the function gives it, so that it
/// may be one that AWS IoT refuses.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// What clients name it by.
    pub name: String,
    /// An inactive one refuses everybody, and is not invoked.
    pub active: bool,
    /// `None` when signing is disabled: the function is invoked for everybody then.
    pub signing: Option<TokenSigning>,
    /// The passwords of the users that it lets in.
    pub users: BTreeMap<String, String>,
    /// `principalId` of the answer: 1 to 128 letters and digits.
    pub principal_id: String,
    /// `policyDocuments` of the answer: at most 10, of at most 2048 characters each. In the documents `${region}` and
    /// `${account}` are filled in.
    pub policy_documents: Vec<String>,
    /// `disconnectAfterInSeconds` of the answer: 300 to 86400.
    pub disconnect_after_seconds: u32,
    /// `refreshAfterInSeconds` of the answer: 300 to 86400.
    pub refresh_after_seconds: u32,
}

/// How clients show that they may have an authorizer invoked: by a token and its signature (RSA with SHA-256, PKCS#1
/// v1.5, in Base64).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSigning {
    /// The name under which clients send the token.
    pub token_key_name: String,
    /// The public key, PEM, 2048 bits or more.
    pub public_key: String,
}

impl Authorizer {
    /// An active authorizer without signing, users or policies, whose connections last for a day and are looked at
    /// again every five minutes.
    pub fn new(name: impl Into<String>) -> Self {
        Authorizer {
            name: name.into(),
            active: true,
            signing: None,
            users: BTreeMap::new(),
            principal_id: "sandbox".to_owned(),
            policy_documents: Vec::new(),
            disconnect_after_seconds: 86_400,
            refresh_after_seconds: 300,
        }
    }

    /// The Lambda function: looks at the user name and the password of the input document, and answers.
    pub(super) fn invoke(&self, input: &Value) -> Value {
        let mqtt = &input["protocolData"]["mqtt"];
        // The user name comes with the query that AWS IoT has read.
        let user = mqtt["username"].as_str().map(|name| name.split_once('?').map_or(name, |(user, _)| user));
        let password = mqtt["password"].as_str().and_then(|base64| STANDARD.decode(base64).ok());
        let known = user.and_then(|user| self.users.get(user)).zip(password);
        if !known.is_some_and(|(known, password)| secret::same(known, password)) {
            // All other fields are ignored then.
            return json!({ "isAuthenticated": false });
        }
        let documents: Vec<Value> = self
            .policy_documents
            .iter()
            .map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))
            .collect();
        json!({
            "isAuthenticated": true,
            "principalId": self.principal_id,
            "policyDocuments": documents,
            "disconnectAfterInSeconds": self.disconnect_after_seconds,
            "refreshAfterInSeconds": self.refresh_after_seconds,
        })
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authorizer")
            .field("name", &self.name)
            .field("active", &self.active)
            .field("signing", &self.signing)
            .field("users", &self.users.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(username: Option<&str>, password: Option<&[u8]>) -> Value {
        let mut mqtt = json!({});
        if let Some(username) = username {
            mqtt["username"] = username.into();
        }
        if let Some(password) = password {
            mqtt["password"] = STANDARD.encode(password).into();
        }
        json!({ "protocolData": { "mqtt": mqtt } })
    }

    #[test]
    fn users_are_let_in_by_their_password_only() {
        let mut authorizer = Authorizer::new("test");
        authorizer.users.insert("alice".to_owned(), "secret".to_owned());
        authorizer.users.insert("bob".to_owned(), String::new());
        for (username, password, authenticated) in [
            (Some("alice"), Some(&b"secret"[..]), true),
            (Some("alice?x-amz-customauthorizer-name=test"), Some(b"secret"), true),
            (Some("alice?a?b"), Some(b"secret"), true),
            (Some("alice"), Some(b"Secret"), false),
            (Some("alice"), Some(b"\xFF"), false),
            (Some("alice"), None, false),
            (Some("bob"), Some(b""), true),
            (Some("bob"), None, false),
            (Some("carol"), Some(b"secret"), false),
            (Some("carol"), None, false),
            (None, Some(b"secret"), false),
            (None, None, false),
        ] {
            let output = authorizer.invoke(&input(username, password));
            assert_eq!(output["isAuthenticated"], authenticated, "{username:?} {password:?}");
            assert_eq!(output.get("principalId").is_some(), authenticated);
        }
        assert!(!format!("{authorizer:?}").contains("secret"));
    }

    #[test]
    fn the_answer_is_the_documented_one() {
        let document = r#"{"Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;
        let mut authorizer = Authorizer::new("test");
        authorizer.users.insert("u".to_owned(), "p".to_owned());
        authorizer.policy_documents = vec![document.to_owned(), "not JSON".to_owned()];
        let expected = json!({
            "isAuthenticated": true,
            "principalId": "sandbox",
            "policyDocuments": [
                { "Statement": { "Effect": "Allow", "Action": "iot:Connect", "Resource": "*" } },
                "not JSON",
            ],
            "disconnectAfterInSeconds": 86400,
            "refreshAfterInSeconds": 300,
        });
        assert_eq!(authorizer.invoke(&input(Some("u"), Some(b"p"))), expected);
    }
}
