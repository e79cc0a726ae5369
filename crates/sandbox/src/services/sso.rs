//! [GetRoleCredentials] of the portal of IAM Identity Center, in AWS's protocol REST-JSON 1.
//!
//! [GetRoleCredentials]: https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html

use http::StatusCode;
use serde::Serialize;

use crate::credentials::Holder;
use crate::secret;
use crate::services::Sso;
use crate::services::answer::{Answer, Fault, ServiceRequest, json, parameter};
use crate::services::issuer::{Issued, Issuer};

pub(super) const PATH: &str = "/federation/credentials";
/// Sessions are named after the user.
const USER_NAME: &str = "sandbox-user";
const BEARER_TOKEN: &str = "x-amz-sso_bearer_token";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    role_credentials: RoleCredentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    /// Milliseconds since 1970.
    expiration: i64,
}

pub(super) fn answer(facts: &Sso, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
    match role_credentials(facts, request, issuer) {
        Ok(issued) => {
            let role_credentials = RoleCredentials {
                access_key_id: &issued.credentials.access_key_id,
                secret_access_key: &issued.credentials.secret_access_key,
                session_token: &issued.credentials.session_token,
                expiration: issued.expiration.as_millisecond(),
            };
            let body = json(&Body { role_credentials });
            Answer::new(StatusCode::OK, "application/json", body, issued.outcome()).with_request_id()
        }
        Err(fault) => fault.into_rest_json(),
    }
}

fn role_credentials(facts: &Sso, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Result<Issued, Fault> {
    let required = |name| {
        parameter(request.query, name).ok_or_else(|| {
            Fault::new(StatusCode::BAD_REQUEST, "InvalidRequestException", format!("{name} is missing"))
        })
    };
    let (role_name, account_id) = (required("role_name")?, required("account_id")?);
    let token = request.header(BEARER_TOKEN).unwrap_or_default();
    if !secret::same(token, &facts.access_token) {
        let message = "Session token not found or invalid";
        return Err(Fault::new(StatusCode::UNAUTHORIZED, "UnauthorizedException", message));
    }
    if role_name != facts.role_name || account_id != facts.account_id {
        return Err(Fault::new(StatusCode::FORBIDDEN, "ForbiddenException", "No access"));
    }
    issuer.issue(Holder::role(USER_NAME))
}
