//! [Version 2 of the instance metadata service] of EC2: a session token first, then the role's name, then its
//! credentials. Version 1, without a token, is refused, as new instances refuse it.
//!
//! [Version 2 of the instance metadata service]: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html

use std::collections::VecDeque;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;

use crate::credentials::Holder;
use crate::names::ROLE_NAME;
use crate::secret;
use crate::services::CredentialOutcome;
use crate::services::answer::{Answer, Fault, ServiceRequest, json};
use crate::services::issuer::{Issuer, iso_8601};

const TOKEN_PATH: &str = "/latest/api/token";
/// What is asked without the slash is answered alike. Newer clients ask `security-credentials-extended` first, which
/// has no answer here, and go on with this.
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Sessions of an instance's role are named after the instance.
const INSTANCE_ID: &str = "i-0123456789abcdef0";
const LONGEST_TTL: u32 = 21_600;

/// How many session tokens are known; the oldest is forgotten for the next.
const TOKENS: usize = 1000;

/// The service with its session tokens.
#[derive(Default)]
pub(super) struct InstanceMetadata {
    /// With their ends, oldest first.
    tokens: Mutex<VecDeque<(String, Timestamp)>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct JsonCredentials<'a> {
    code: &'a str,
    last_updated: String,
    r#type: &'a str,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
}

impl InstanceMetadata {
    pub(super) fn answer(&self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
        let answer = match request.path {
            TOKEN_PATH => self.token(request, issuer.now),
            _ => self.metadata(request, issuer),
        };
        answer.unwrap_or_else(|fault| {
            let body = format!("{} - {}", fault.status.as_u16(), fault.message);
            Answer::new(fault.status, "text/plain", body, fault.outcome())
        })
    }

    /// A new session token.
    fn token(&self, request: &ServiceRequest<'_>, now: Timestamp) -> Result<Answer, Fault> {
        if request.method != Method::PUT {
            return Err(fault(StatusCode::METHOD_NOT_ALLOWED));
        }
        // Sent by proxies, behind which no token is given out.
        if request.headers.contains_key("x-forwarded-for") {
            return Err(fault(StatusCode::FORBIDDEN));
        }
        let ttl = request.header(TTL).and_then(|seconds| seconds.parse::<u32>().ok());
        let Some(ttl) = ttl.filter(|seconds| (1..=LONGEST_TTL).contains(seconds)) else {
            return Err(fault(StatusCode::BAD_REQUEST));
        };
        let token = secret::token().map_err(|_| fault(StatusCode::INTERNAL_SERVER_ERROR))?;
        let end = now.saturating_add(SignedDuration::from_secs(ttl.into())).unwrap_or(Timestamp::MAX);
        let mut tokens = self.tokens.lock();
        if tokens.len() == TOKENS {
            tokens.pop_front();
        }
        tokens.push_back((token.clone(), end));
        Ok(Answer::new(StatusCode::OK, "text/plain", token, CredentialOutcome::Answered)
            .with(TTL, ttl.to_string()))
    }

    fn metadata(&self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Result<Answer, Fault> {
        if request.method != Method::GET {
            return Err(fault(StatusCode::METHOD_NOT_ALLOWED));
        }
        let valid = request.header(TOKEN).is_some_and(|token| {
            let tokens = self.tokens.lock();
            tokens.iter().any(|(known, end)| issuer.now < *end && secret::same(known, token))
        });
        if !valid {
            return Err(fault(StatusCode::UNAUTHORIZED));
        }
        match request.path.strip_prefix(ROLES_PATH) {
            Some("" | "/") => {
                let name = ROLE_NAME.to_owned();
                Ok(Answer::new(StatusCode::OK, "text/plain", name, CredentialOutcome::Answered))
            }
            Some(role) if role.strip_prefix('/') == Some(ROLE_NAME) => {
                let issued = issuer.issue(Holder::role(INSTANCE_ID))?;
                let body = json(&JsonCredentials {
                    code: "Success",
                    last_updated: iso_8601(issuer.now),
                    r#type: "AWS-HMAC",
                    access_key_id: &issued.credentials.access_key_id,
                    secret_access_key: &issued.credentials.secret_access_key,
                    token: &issued.credentials.session_token,
                    expiration: issued.expiration_text(),
                });
                Ok(Answer::new(StatusCode::OK, "text/plain", body, issued.outcome()))
            }
            _ => Err(fault(StatusCode::NOT_FOUND)),
        }
    }
}

/// This service has no names for its refusals but those of HTTP.
fn fault(status: StatusCode) -> Fault {
    let reason = status.canonical_reason().unwrap_or_default();
    Fault::new(status, reason, reason)
}
