//! The [credentials provider] of AWS IoT: a device gets the credentials of a role for its certificate.
//!
//! [credentials provider]: https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html

use std::sync::Arc;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::credentials::Holder;
use crate::policy::{Action, Permissions, PolicySource, PolicyStore, Principal};
use crate::services::answer::{Answer, Fault, ServiceRequest, json};
use crate::services::issuer::{Issued, Issuer};
use crate::things::Things;

pub(super) const PREFIX: &str = "/role-aliases/";
const SUFFIX: &str = "/credentials";
const THING_NAME: &str = "x-amzn-iot-thingname";

#[derive(Serialize)]
struct Body<'a> {
    credentials: JsonCredentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonCredentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
}

/// What the provider goes by.
#[derive(Clone, Copy)]
pub(super) struct Provider<'a> {
    /// The one that exists.
    pub(super) role_alias: &'a str,
    pub(super) things: &'a Things,
    pub(super) policies: &'a Arc<PolicyStore>,
}

impl Provider<'_> {
    pub(super) fn answer(self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
        match self.credentials(request, issuer) {
            Ok(issued) => {
                let credentials = JsonCredentials {
                    access_key_id: &issued.credentials.access_key_id,
                    secret_access_key: &issued.credentials.secret_access_key,
                    session_token: &issued.credentials.session_token,
                    expiration: issued.expiration_text(),
                };
                let body = json(&Body { credentials });
                Answer::new(StatusCode::OK, "application/json", body, issued.outcome()).with_request_id()
            }
            Err(fault) => fault.into_rest_json(),
        }
    }

    /// The order of the checks is that of AWS: certificate, thing, policy, role alias.
    fn credentials(self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Result<Issued, Fault> {
        let not_found =
            |message: &str| Fault::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message);
        let alias = request
            .path
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_suffix(SUFFIX))
            .and_then(|alias| percent_decode_str(alias).decode_utf8().ok())
            .ok_or_else(|| not_found("Not found"))?;
        let device = request
            .certificate
            .and_then(|certificate| self.things.find(certificate))
            .ok_or_else(|| denied("Certificate is invalid on this endpoint"))?;
        let mut variables = device.subject.with("aws:SourceIp", &request.peer.to_string());
        if request.headers.contains_key(THING_NAME) {
            if request.header(THING_NAME) != Some(&device.thing_name) {
                return Err(denied("Invalid thing name passed"));
            }
            variables = variables
                .with("iot:Connection.Thing.ThingName", &device.thing_name)
                .with("iot:Connection.Thing.IsAttached", "true");
        }
        let attached = PolicySource::Attached(&[Principal::Device]);
        let permissions = Permissions::new(Arc::clone(self.policies), attached, variables);
        if !permissions.allow(Action::AssumeRoleWithCertificate, &alias) {
            return Err(denied("Access Denied"));
        }
        if alias != self.role_alias {
            return Err(not_found("Role alias does not exist"));
        }
        // Sessions are named after the certificate.
        issuer.issue(Holder::role(device.certificate_id))
    }
}

fn denied(message: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::credentials::CredentialStore;
    use crate::names::{ACCOUNT_ID, REGION};
    use crate::pki::Authority;

    const ALLOW: &str =
        r#"{"Statement":{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"*"}}"#;

    /// One that the sandbox's CA has issued, which is all that TLS asks.
    #[test]
    fn a_certificate_has_to_be_registered() {
        let authority = Authority::new("test").unwrap();
        let [known, unknown] = ["known", "unknown"].map(|name| authority.issue_device(name).unwrap());
        let things = Things::default();
        things.register("known", known.certificate_der()).unwrap();
        let policies = Arc::new(PolicyStore::new(REGION, ACCOUNT_ID));
        policies.replace(Principal::Device, &[ALLOW.to_owned()]).unwrap();
        let provider = Provider { role_alias: "alias", things: &things, policies: &policies };
        let store = CredentialStore::default();
        let issuer =
            Issuer { store: &store, now: Timestamp::UNIX_EPOCH, lifetime: SignedDuration::from_secs(1) };
        let status = |certificate| {
            let request = ServiceRequest {
                peer: [127, 0, 0, 1].into(),
                method: &Method::GET,
                path: "/role-aliases/alias/credentials",
                query: "",
                headers: &HeaderMap::new(),
                body: &[],
                certificate: Some(certificate),
            };
            provider.answer(&request, &issuer).status
        };
        assert_eq!(status(known.certificate_der()), StatusCode::OK);
        assert_eq!(status(unknown.certificate_der()), StatusCode::FORBIDDEN);
    }
}
