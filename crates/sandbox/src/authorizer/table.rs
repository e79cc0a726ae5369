//! All authorizers of the account, and what they were asked.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Weak};

use anyhow::{Context, ensure};
use parking_lot::Mutex;
use serde_json::Value;

use crate::authorizer::answer::{Answer, No};
use crate::authorizer::request::{NAME, SIGNATURE};
use crate::authorizer::signature::{SignatureError, TokenKey};
use crate::authorizer::{Authorizer, ConnectRequest, Refusal};
use crate::policy::{AnsweredPolicies, Policy};

/// How many invocations are remembered.
const CALLS: usize = 200;

/// What AWS IoT allows for the name of an authorizer and of a token's key, in characters.
const MAXIMUM_NAME: usize = 128;

/// One invocation of an authorizer's Lambda function.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizerCall {
    /// The authorizer's name.
    pub authorizer: String,
    /// The event that the function got.
    pub input: Value,
    /// What it has answered.
    pub output: Value,
}

impl fmt::Debug for AuthorizerCall {
    /// Without the input, which holds passwords and tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizerCall")
            .field("authorizer", &self.authorizer)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

/// What a connection was given.
#[derive(Debug)]
pub(crate) struct Grant {
    /// The authorizer's name.
    pub(crate) authorizer: String,
    /// What the connection is called in logs.
    pub(crate) principal_id: String,
    pub(crate) policies: Arc<AnsweredPolicies>,
    pub(crate) disconnect_after_seconds: u32,
    pub(crate) refresh_after_seconds: u32,
}

/// The authorizers, by name.
#[derive(Debug, Default)]
pub(crate) struct AuthorizerTable(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    authorizers: HashMap<String, Entry>,
    calls: VecDeque<AuthorizerCall>,
}

#[derive(Debug)]
struct Entry {
    authorizer: Authorizer,
    key: Option<TokenKey>,
    /// The policies of those that are connected by it.
    granted: Vec<Weak<AnsweredPolicies>>,
}

impl AuthorizerTable {
    /// Adds an authorizer or replaces the one of this name. Those that are connected by it keep their policies until
    /// the next refresh.
    pub(crate) fn set(&self, authorizer: Authorizer) -> anyhow::Result<()> {
        let name = &authorizer.name;
        let plain = |char: char| char.is_ascii_alphanumeric() || "_=,@-".contains(char);
        ensure!(
            (1..=MAXIMUM_NAME).contains(&name.len()) && name.chars().all(plain),
            "{name:?} is no name for an authorizer: letters, digits, and _ = , @ - only"
        );
        let key = match &authorizer.signing {
            None => None,
            Some(signing) => {
                let key_name = &signing.token_key_name;
                let plain = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
                ensure!(
                    (1..=MAXIMUM_NAME).contains(&key_name.len()) && key_name.chars().all(plain),
                    "{key_name:?} is no name for a token's key: letters, digits, and _ - only"
                );
                let key = TokenKey::from_pem(&signing.public_key);
                Some(key.with_context(|| format!("the public key of the authorizer {name:?}"))?)
            }
        };
        let authorizers = &mut self.0.lock().authorizers;
        let granted = authorizers.remove(name).map(|entry| entry.granted).unwrap_or_default();
        authorizers.insert(name.clone(), Entry { authorizer, key, granted });
        Ok(())
    }

    /// Replaces the policies that an authorizer answers with, for those that are connected by it too.
    pub(crate) fn replace_policies(&self, name: &str, documents: &[String], policies: &[Policy]) {
        let mut inner = self.0.lock();
        let Some(entry) = inner.authorizers.get_mut(name) else { return };
        entry.authorizer.policy_documents = documents.to_vec();
        for granted in entry.granted.iter().filter_map(Weak::upgrade) {
            granted.replace(policies.to_vec());
        }
    }

    /// Decides about a CONNECT: finds the authorizer, checks the signature if it asks for one, and invokes it.
    pub(crate) fn authorize(&self, request: &ConnectRequest) -> Result<Grant, Refusal> {
        let mut inner = self.0.lock();
        let (name, answer) = inner.invoke(request)?;
        let policies = Arc::new(AnsweredPolicies::new(answer.policies));
        if let Some(entry) = inner.authorizers.get_mut(&name) {
            entry.granted.retain(|granted| granted.strong_count() > 0);
            entry.granted.push(Arc::downgrade(&policies));
        }
        Ok(Grant {
            authorizer: name,
            principal_id: answer.principal_id,
            policies,
            disconnect_after_seconds: answer.disconnect_after_seconds,
            refresh_after_seconds: answer.refresh_after_seconds,
        })
    }

    /// Decides again, and replaces the policies; returns the seconds until the next time.
    pub(crate) fn refresh(
        &self,
        request: &ConnectRequest,
        granted: &AnsweredPolicies,
    ) -> Result<u32, Refusal> {
        let mut inner = self.0.lock();
        let (_, answer) = inner.invoke(request)?;
        granted.replace(answer.policies);
        Ok(answer.refresh_after_seconds)
    }

    /// The latest invocations, oldest first.
    pub(crate) fn calls(&self) -> Vec<AuthorizerCall> {
        self.0.lock().calls.iter().cloned().collect()
    }
}

impl Inner {
    /// The authorizer's name and its answer.
    fn invoke(&mut self, request: &ConnectRequest) -> Result<(String, Answer), Refusal> {
        let name = request.value(NAME)?.ok_or(Refusal::NotNamed)?;
        let Some(entry) = self.authorizers.get(&name) else { return Err(Refusal::Unknown(name)) };
        if !entry.authorizer.active {
            return Err(Refusal::Inactive(name));
        }
        let token = entry.verified_token(request)?;
        let input = request.input(token.as_deref(), token.is_some());
        let output = entry.authorizer.invoke(&input);
        let answer = Answer::read(&output);
        if self.calls.len() == CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(AuthorizerCall { authorizer: name.clone(), input, output });
        match answer {
            Ok(answer) => Ok((name, answer)),
            Err(No::NotAuthenticated) => Err(Refusal::NotAuthenticated(name)),
            Err(No::Invalid(why)) => Err(Refusal::BadAnswer { authorizer: name, why }),
        }
    }
}

impl Entry {
    /// The token, whose signature is right; `None` when signing is disabled.
    fn verified_token(&self, request: &ConnectRequest) -> Result<Option<String>, Refusal> {
        let name = || self.authorizer.name.clone();
        let (Some(signing), Some(key)) = (&self.authorizer.signing, &self.key) else { return Ok(None) };
        let token = request.value(&signing.token_key_name)?.ok_or_else(|| Refusal::TokenMissing {
            authorizer: name(),
            token_key_name: signing.token_key_name.clone(),
        })?;
        let signature = request.value(SIGNATURE)?.ok_or_else(|| Refusal::SignatureMissing(name()))?;
        key.verify(&token, &signature).map_err(|error| Refusal::SignatureWrong {
            authorizer: name(),
            base64: error != SignatureError::NotBase64,
        })?;
        Ok(Some(token))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::authorizer::{Examples, Handshake, SignedAuthorizerExample};

    const POLICY: &str = r#"{"Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;

    fn request(username: &str, password: &str) -> ConnectRequest {
        ConnectRequest {
            connection: Uuid::nil(),
            handshake: Handshake { server_name: None, http: None },
            username: Some(username.to_owned()),
            password: Some(password.as_bytes().to_vec()),
            client_id: None,
        }
    }

    fn query(signed: &SignedAuthorizerExample) -> String {
        let signature = signed.token_signature.replace('+', "%2B");
        format!(
            "{}?{NAME}={}&{}={}&{SIGNATURE}={signature}",
            signed.username, signed.name, signed.token_key_name, signed.token_value
        )
    }

    /// What the log says.
    #[test]
    fn each_refusal_has_its_own_words() {
        let Examples { client, table: [unsigned, signed] } =
            Examples::generate(&[POLICY.to_owned()]).unwrap();
        let table = AuthorizerTable::default();
        let inactive = Authorizer { name: "inactive".to_owned(), active: false, ..unsigned.clone() };
        let bad = Authorizer { name: "bad".to_owned(), principal_id: String::new(), ..unsigned.clone() };
        for authorizer in [unsigned, signed, inactive, bad] {
            table.set(authorizer).unwrap();
        }
        let right = query(&client.signed);
        let password = &client.signed.password;
        assert!(table.authorize(&request(&right, password)).is_ok());
        let of_unsigned = |name: &str| format!("{}?{NAME}={name}", client.unsigned.username);
        for (username, password, words) in [
            ("user".to_owned(), password, "no custom authorizer is named, and none is the default"),
            (of_unsigned("x"), password, "there is no custom authorizer \"x\""),
            (of_unsigned("inactive"), password, "the custom authorizer \"inactive\" is not active"),
            (
                of_unsigned("%FF"),
                password,
                "\"x-amz-customauthorizer-name\" is not UTF-8 once it is URI-decoded",
            ),
            (
                right.replace("sandbox-token", "other-token"),
                password,
                "the custom authorizer \"sandbox-signed\" asks for a token, and \"sandbox-token\" is not there",
            ),
            (
                right.replace(SIGNATURE, "other"),
                password,
                "the custom authorizer \"sandbox-signed\" asks for the token's signature, which is missing",
            ),
            (
                right.replace("token=", "token=0"),
                password,
                "the token's signature is wrong for the custom authorizer \"sandbox-signed\"",
            ),
            (
                right.replace("%2B", "+"),
                password,
                "the token's signature is wrong for the custom authorizer \"sandbox-signed\": it is not even Base64, \
                 once it is URI-decoded",
            ),
            (
                right.clone(),
                &client.unsigned.password,
                "the custom authorizer \"sandbox-signed\" says that the client is not authenticated",
            ),
            (
                of_unsigned("bad"),
                &client.unsigned.password,
                "the answer of the custom authorizer \"bad\" is not valid: principalId is not 1 to 128 letters and digits",
            ),
        ] {
            let refusal = table.authorize(&request(&username, password)).unwrap_err();
            assert_eq!(refusal.to_string(), words);
        }
        assert_eq!(table.calls().len(), 3, "the one that was let in, and the two whose answers were no good");
    }

    #[test]
    fn the_latest_invocations_are_kept() {
        let Examples { client, table: [unsigned, _] } = Examples::generate(&[]).unwrap();
        let table = AuthorizerTable::default();
        let username = format!("{}?{NAME}={}", unsigned.name, client.unsigned.name);
        table.set(unsigned).unwrap();
        for password in 0..=CALLS {
            table.authorize(&request(&username, &password.to_string())).unwrap_err();
        }
        let calls = table.calls();
        assert_eq!(calls.len(), CALLS);
        assert_eq!(calls[0].input["protocolData"]["mqtt"]["password"], "MQ==");
    }
}
