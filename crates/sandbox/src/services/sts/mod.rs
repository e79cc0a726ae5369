//! AWS STS in AWS's query protocol: a form is sent, XML comes back.

mod assume_role;
mod caller_identity;
mod operation;

use http::StatusCode;
use uuid::Uuid;

use crate::services::Sts;
use crate::services::answer::{Answer, Fault, ServiceRequest, parameter};
use crate::services::issuer::Issuer;
use crate::sigv4::Verifier;

use self::operation::{Done, bad};

const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The service with what it goes by.
#[derive(Clone, Copy)]
pub(super) struct SecurityTokens<'a> {
    pub(super) facts: &'a Sts,
    /// The web identity's, with which the role is assumed.
    pub(super) token: &'a str,
    pub(super) verifier: &'a Verifier,
}

impl SecurityTokens<'_> {
    pub(super) fn answer(self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Answer {
        let request_id = Uuid::new_v4().to_string();
        let (status, body, outcome) = match self.perform(request, issuer) {
            Ok(done) => (StatusCode::OK, success(&done, &request_id), done.outcome),
            Err(fault) => (fault.status, refusal(&fault, &request_id), fault.outcome()),
        };
        Answer::new(status, "text/xml", body, outcome).with("x-amzn-requestid", request_id)
    }

    fn perform(self, request: &ServiceRequest<'_>, issuer: &Issuer<'_>) -> Result<Done, Fault> {
        let form = std::str::from_utf8(request.body)
            .map_err(|_| bad("MalformedInput", "The request body is not UTF-8"))?;
        let action = parameter(form, "Action").ok_or_else(|| bad("MissingAction", "Action is missing"))?;
        let version = parameter(form, "Version").unwrap_or_default();
        match (action.as_str(), version.as_str()) {
            (assume_role::OPERATION, VERSION) => assume_role::perform(self.facts, self.token, form, issuer),
            (assume_role::SIGNED_OPERATION, VERSION) => {
                let caller = caller_identity::caller(self.verifier, request, issuer.now)?;
                assume_role::perform_signed(self.facts, &caller, form, issuer)
            }
            (caller_identity::OPERATION, VERSION) => {
                caller_identity::perform(self.verifier, request, issuer.now)
            }
            _ => {
                let message = format!("Could not find operation {action} for version {version}");
                Err(bad("InvalidAction", message))
            }
        }
    }
}

fn success(done: &Done, request_id: &str) -> String {
    let Done { operation, result, .. } = done;
    format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn refusal(fault: &Fault, request_id: &str) -> String {
    let kind = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        fault.code,
        escape(&fault.message),
    )
}

/// Text for XML. Control characters, which XML cannot hold, are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            char if char.is_control() => {}
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_stays_text() {
        assert_eq!(escape("<a>&\u{1}"), "&lt;a&gt;&amp;");
    }
}
