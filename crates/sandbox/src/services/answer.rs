//! What services are asked and what they answer.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use uuid::Uuid;

use crate::services::CredentialOutcome;

/// An HTTP request whose body is there as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceRequest<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) method: &'a Method,
    /// Still encoded.
    pub(crate) path: &'a str,
    /// Still encoded.
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// The client certificate, DER.
    pub(crate) certificate: Option<&'a [u8]>,
}

impl ServiceRequest<'_> {
    /// The value of a header that occurs once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }
}

/// The decoded value of a parameter of a query or a form. One that occurs twice has none: which counts would be a guess.
pub(super) fn parameter(pairs: &str, name: &str) -> Option<String> {
    let mut values = pairs.split('&').filter_map(|pair| {
        let (candidate, value) = pair.split_once('=').unwrap_or((pair, ""));
        (candidate == name).then_some(value)
    });
    let value = values.next()?.replace('+', " ");
    if values.next().is_some() {
        return None;
    }
    Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned())
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: String,
    /// What is remembered of it.
    pub(crate) outcome: CredentialOutcome,
}

impl Answer {
    pub(super) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: String,
        outcome: CredentialOutcome,
    ) -> Self {
        Answer { status, content_type, headers: Vec::new(), body, outcome }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    /// As all services but the metadata services number their answers.
    pub(super) fn with_request_id(self) -> Self {
        self.with("x-amzn-requestid", Uuid::new_v4().to_string())
    }
}

/// Why a service refuses a request, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// The name of the exception.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Fault { status, code, message: message.into() }
    }

    pub(super) fn outcome(&self) -> CredentialOutcome {
        CredentialOutcome::Refused { status: self.status.as_u16(), error: self.code.to_owned() }
    }

    /// In the protocol REST-JSON 1: the name of the exception is a header.
    pub(super) fn into_rest_json(self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            message: &'a str,
        }
        let outcome = self.outcome();
        let body = json(&Body { message: &self.message });
        Answer::new(self.status, "application/json", body, outcome)
            .with("x-amzn-errortype", self.code.to_owned())
            .with_request_id()
    }
}

/// JSON of strings and numbers, which cannot fail.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(parameter("a=1&b=x+y%2Bz", "b").as_deref(), Some("x y+z"));
        assert_eq!(parameter("a=1&a=2", "a"), None);
        assert_eq!(parameter("a", "a").as_deref(), Some(""));
        assert_eq!(parameter("a=%ff", "a"), None);
        assert_eq!(parameter("", "a"), None);
    }
}
