//! `CreateOAuth2Token` of AWS Sign-In, with which a profile made by `aws login` renews its credentials, in AWS's protocol
//! REST-JSON 1 (<https://docs.aws.amazon.com/sdkref/latest/guide/access-login.html>).
//!
//! The login itself needs a browser; the sandbox makes at its start the file that it leaves behind.

mod cache;
mod messages;
mod proof;

use anyhow::anyhow;
use http::{Method, StatusCode};
use jiff::SignedDuration;
use parking_lot::Mutex;
use serde::Serialize;

use crate::credentials::Holder;
use crate::secret;
use crate::services::answer::{Answer, Fault, ServiceRequest, json};
use crate::services::issuer::{Issued, Issuer};

use self::cache::CachedLogin;
use self::messages::{CLIENT_ID, Input, Output};
use self::proof::{LoginKey, ProofChecker};

pub(super) const PATH: &str = "/v1/token";
/// The longest that AWS gives out credentials for.
const MAX_LIFETIME: SignedDuration = SignedDuration::from_mins(15);
const USER_NAME: &str = "sandbox-user";

/// The one login.
pub(super) struct Login {
    key: LoginKey,
    /// Each is good once, so that a client that does not keep the next one is found out.
    refresh_token: Mutex<String>,
    proofs: ProofChecker,
}

/// The ARN of the user who has logged in, as `login_session` of a profile names them.
pub(super) fn session() -> String {
    holder().names().arn
}

/// The name of the file that the login leaves behind.
pub(super) fn cache_file_name() -> String {
    cache::file_name(&session())
}

fn holder() -> Holder {
    Holder::role(USER_NAME)
}

impl Login {
    pub(super) fn new() -> anyhow::Result<Self> {
        let key = LoginKey::generate()?;
        let proofs = ProofChecker::new(key.public());
        Ok(Login { key, refresh_token: Mutex::new(secret::token()?), proofs })
    }

    /// The contents of the file that the login leaves behind, with its first credentials.
    pub(super) fn cached(&self, issuer: &Issuer<'_>) -> anyhow::Result<String> {
        let issued = issue(issuer).map_err(|fault| anyhow!(fault.message))?;
        Ok(json(&CachedLogin::new(&issued, &self.refresh_token.lock(), &self.key.to_pem()?)))
    }

    pub(super) fn answer(&self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
        match self.refresh(request, issuer) {
            Ok((issued, refresh_token)) => {
                let body = json(&Output::new(&issued, &refresh_token, lifetime(issuer)));
                Answer::new(StatusCode::OK, "application/json", body, issued.outcome()).with_request_id()
            }
            Err(refusal) => refusal.into_answer(),
        }
    }

    fn refresh(
        &self,
        request: &ServiceRequest<'_>,
        issuer: &Issuer<'_>,
    ) -> Result<(Issued, String), Refusal> {
        let input: Input = serde_json::from_slice(request.body)
            .map_err(|error| Refusal::invalid(format!("The body is not valid: {error}")))?;
        if input.client_id != CLIENT_ID {
            return Err(Refusal::invalid("Unknown clientId"));
        }
        if input.grant_type != "refresh_token" {
            return Err(Refusal::invalid("Only the grant type refresh_token is served here"));
        }
        let proof =
            request.header(proof::HEADER).ok_or_else(|| Refusal::invalid("One DPoP proof is needed"))?;
        let host = request.header("host").unwrap_or_default();
        self.proofs
            .check(proof, request.method, &format!("https://{host}{PATH}"), issuer.now)
            .map_err(|fault| Refusal::invalid(format!("The DPoP proof is not valid: {fault}")))?;

        let mut expected = self.refresh_token.lock();
        if !secret::same(&input.refresh_token, &*expected) {
            return Err(Refusal {
                code: "AccessDeniedException",
                error: "TOKEN_EXPIRED",
                message: EXPIRED.to_owned(),
            });
        }
        let next = secret::token().map_err(|error| Refusal::internal(&error.to_string()))?;
        let issued = issue(issuer).map_err(|fault| Refusal::internal(&fault.message))?;
        expected.clone_from(&next);
        Ok((issued, next))
    }
}

const EXPIRED: &str = "The refresh token is unknown, has been used or has expired";

fn issue(issuer: &Issuer<'_>) -> Result<Issued, Fault> {
    Issuer { lifetime: lifetime(issuer), ..*issuer }.issue(holder())
}

fn lifetime(issuer: &Issuer<'_>) -> SignedDuration {
    issuer.lifetime.min(MAX_LIFETIME)
}

/// Returns whether a request is for this service.
pub(super) fn is_called(method: &Method, path: &str) -> bool {
    method == Method::POST && path == PATH
}

/// The service's errors have a code of OAuth 2.0 beside the name of the exception.
#[derive(Debug)]
struct Refusal {
    code: &'static str,
    error: &'static str,
    message: String,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Self {
        Refusal { code: "ValidationException", error: "INVALID_REQUEST", message: message.into() }
    }

    fn internal(message: &str) -> Self {
        Refusal { code: "InternalServerException", error: "server_error", message: message.to_owned() }
    }

    fn into_answer(self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            message: &'a str,
        }
        let status = match self.code {
            "InternalServerException" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json(&Body { error: self.error, message: &self.message });
        let outcome = Fault::new(status, self.code, "").outcome();
        Answer::new(status, "application/json", body, outcome)
            .with("x-amzn-errortype", self.code.to_owned())
            .with_request_id()
    }
}
