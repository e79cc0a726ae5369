//! [Amazon Cognito identity pools]: `GetId` and `GetCredentialsForIdentity`, in AWS's protocol JSON 1.1.
//!
//! [Amazon Cognito identity pools]: https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/Welcome.html

use std::collections::{BTreeMap, VecDeque};

use http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::credentials::Holder;
use crate::names::REGION;
use crate::secret;
use crate::services::answer::{Answer, Fault, ServiceRequest, json};
use crate::services::issuer::{Issued, Issuer};
use crate::services::{Cognito, CredentialOutcome};

/// The header that names the operation.
pub(super) const TARGET: &str = "x-amz-target";
const SERVICE: &str = "AWSCognitoIdentityService";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// How many guests are remembered beside the one of the start.
const GUESTS: usize = 1000;

/// The ID of an identity pool or of an identity; they look alike.
pub(super) fn new_id() -> String {
    format!("{REGION}:{}", Uuid::new_v4())
}

/// The pool with its identities.
pub(super) struct IdentityPool {
    facts: Cognito,
    /// Oldest first.
    guests: Mutex<VecDeque<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    identity_pool_id: Option<String>,
    identity_id: Option<String>,
    logins: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Identity<'a> {
    identity_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct IdentityCredentials<'a> {
    identity_id: &'a str,
    credentials: JsonCredentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct JsonCredentials<'a> {
    access_key_id: &'a str,
    secret_key: &'a str,
    session_token: &'a str,
    /// Seconds since 1970.
    expiration: f64,
}

/// Who asks, as far as the logins tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Guest,
    User,
}

impl IdentityPool {
    pub(super) fn new(facts: Cognito) -> Self {
        IdentityPool { facts, guests: Mutex::default() }
    }

    pub(super) fn facts(&self) -> &Cognito {
        &self.facts
    }

    pub(super) fn answer(&self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
        match self.operation(request, issuer) {
            Ok((body, outcome)) => Answer::new(StatusCode::OK, CONTENT_TYPE, body, outcome).with_request_id(),
            Err(fault) => refusal(&fault),
        }
    }

    fn operation(
        &self,
        request: &ServiceRequest<'_>,
        issuer: &Issuer<'_>,
    ) -> Result<(String, CredentialOutcome), Fault> {
        let target = request.header(TARGET).and_then(|target| target.split_once('.'));
        let operation = match target {
            Some((SERVICE, operation @ ("GetId" | "GetCredentialsForIdentity"))) => operation,
            _ => return Err(bad("UnknownOperationException", "")),
        };
        let input: Input = serde_json::from_slice(request.body)
            .map_err(|_| bad("SerializationException", "The request is no valid JSON of this operation"))?;
        if operation == "GetId" {
            let identity_id = self.identity(&input)?;
            return Ok((json(&Identity { identity_id: &identity_id }), CredentialOutcome::Answered));
        }
        let (identity_id, issued) = self.credentials(&input, issuer)?;
        let Issued { credentials, expiration } = &issued;
        let answer = IdentityCredentials {
            identity_id: &identity_id,
            credentials: JsonCredentials {
                access_key_id: &credentials.access_key_id,
                secret_key: &credentials.secret_access_key,
                session_token: &credentials.session_token,
                expiration: expiration.as_duration().as_secs_f64(),
            },
        };
        Ok((json(&answer), issued.outcome()))
    }

    /// A user has one identity, a guest gets a new one each time.
    fn identity(&self, input: &Input) -> Result<String, Fault> {
        let pool = valid_id(input.identity_pool_id.as_deref(), "identityPoolId")?;
        if pool != self.facts.identity_pool_id {
            return Err(bad("ResourceNotFoundException", format!("IdentityPool '{pool}' not found.")));
        }
        if self.caller(input)? == Caller::User {
            return Ok(self.facts.authenticated_identity_id.clone());
        }
        let guest = new_id();
        let mut guests = self.guests.lock();
        if guests.len() == GUESTS {
            guests.pop_front();
        }
        guests.push_back(guest.clone());
        Ok(guest)
    }

    fn credentials(&self, input: &Input, issuer: &Issuer<'_>) -> Result<(String, Issued), Fault> {
        let identity_id = valid_id(input.identity_id.as_deref(), "identityId")?;
        let authenticated = identity_id == self.facts.authenticated_identity_id;
        let exists = authenticated
            || identity_id == self.facts.identity_id
            || self.guests.lock().iter().any(|guest| guest == identity_id);
        if !exists {
            // Of a pool's ID given as an identity's, AWS says the same.
            return Err(bad("ResourceNotFoundException", format!("Identity '{identity_id}' not found.")));
        }
        match (self.caller(input)?, authenticated) {
            (Caller::Guest, true) => {
                let message = format!("Access to Identity '{identity_id}' is forbidden.");
                return Err(bad("NotAuthorizedException", message));
            }
            (Caller::User, false) => {
                let message = "Logins don't match. Please include at least one valid login for this identity or \
                               identity pool.";
                return Err(bad("NotAuthorizedException", message));
            }
            (Caller::Guest, false) | (Caller::User, true) => {}
        }
        let issued = issuer.issue(Holder::Cognito {
            identity_id: identity_id.to_owned(),
            identity_pool_id: self.facts.identity_pool_id.clone(),
            authenticated,
        })?;
        Ok((identity_id.to_owned(), issued))
    }

    fn caller(&self, input: &Input) -> Result<Caller, Fault> {
        let logins = input.logins.iter().flatten();
        let mut caller = Caller::Guest;
        for (provider, token) in logins {
            if *provider != self.facts.login_provider {
                let message = "Token is not from a supported provider of this identity pool.";
                return Err(bad("NotAuthorizedException", message));
            }
            if !secret::same(token, &self.facts.login_token) {
                let message = "Invalid login token. Token signature invalid.";
                return Err(bad("NotAuthorizedException", message));
            }
            caller = Caller::User;
        }
        Ok(caller)
    }
}

/// An ID of the form that the API's reference gives.
fn valid_id<'a>(id: Option<&'a str>, member: &str) -> Result<&'a str, Fault> {
    let invalid = |value: String, constraint: &str| {
        let message = format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        );
        bad("ValidationException", message)
    };
    let id = id.ok_or_else(|| invalid("null".to_owned(), "Member must not be null"))?;
    let word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let hexadecimal = |char: char| matches!(char, '0'..='9' | 'a'..='f' | '-');
    let valid = id.split_once(':').is_some_and(|(region, rest)| {
        !region.is_empty() && !rest.is_empty() && region.chars().all(word) && rest.chars().all(hexadecimal)
    });
    if !valid {
        let constraint = r"Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+";
        return Err(invalid(format!("'{id}'"), constraint));
    }
    Ok(id)
}

/// All of this service's refusals have the status 400.
fn bad(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, code, message)
}

fn refusal(fault: &Fault) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "__type")]
        code: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        message: &'a str,
    }
    let body = json(&Body { code: fault.code, message: &fault.message });
    Answer::new(fault.status, CONTENT_TYPE, body, fault.outcome())
        .with("x-amzn-errortype", format!("{}:", fault.code))
        .with_request_id()
}
