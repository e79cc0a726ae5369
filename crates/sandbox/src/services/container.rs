//! The credentials endpoint of containers: [ECS] and EKS Pod Identity.
//!
//! [ECS]: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html

use http::{Method, StatusCode};
use serde::Serialize;

use crate::credentials::Holder;
use crate::secret;
use crate::services::answer::{Answer, Fault, ServiceRequest, json};
use crate::services::issuer::{Issued, Issuer};

/// Sessions of a task's role are named after the task.
const TASK_ID: &str = "0123456789abcdef0123456789abcdef";
pub(super) const PATH: &str = "/v2/credentials/sandbox";

/// What the endpoint needs.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    /// The `Authorization` header that has to come.
    pub(super) token: &'a str,
    pub(super) role_arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct JsonCredentials<'a> {
    role_arn: &'a str,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
}

impl Container<'_> {
    pub(super) fn answer(self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
        match self.credentials(request, issuer) {
            Ok(issued) => {
                let body = json(&JsonCredentials {
                    role_arn: self.role_arn,
                    access_key_id: &issued.credentials.access_key_id,
                    secret_access_key: &issued.credentials.secret_access_key,
                    token: &issued.credentials.session_token,
                    expiration: issued.expiration_text(),
                });
                Answer::new(StatusCode::OK, "application/json", body, issued.outcome())
            }
            Err(fault) => refusal(&fault),
        }
    }

    fn credentials(self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Result<Issued, Fault> {
        if request.method != Method::GET {
            let message = "Only GET is allowed";
            return Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedException", message));
        }
        if !request.header("authorization").is_some_and(|token| secret::same(token, self.token)) {
            let message = "The authorization token is missing or not valid";
            return Err(Fault::new(StatusCode::UNAUTHORIZED, "UnauthorizedException", message));
        }
        issuer.issue(Holder::role(TASK_ID))
    }
}

/// The members `code` and `message` are what clients look for.
fn refusal(fault: &Fault) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        code: &'a str,
        message: &'a str,
    }
    let body = json(&Body { code: fault.code, message: &fault.message });
    Answer::new(fault.status, "application/json", body, fault.outcome())
}
