//! HTTP answers that refuse, in the form of AWS's services.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use crate::gateway::body::{Body, full};

/// A refusal.
#[derive(Clone, Debug)]
pub(super) struct HttpRefusal {
    pub(super) status: StatusCode,
    /// The name of the exception.
    pub(super) error_type: &'static str,
    pub(super) message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    message: &'a str,
    trace_id: &'a str,
}

impl HttpRefusal {
    pub(super) fn new(status: StatusCode, error_type: &'static str, message: &str) -> Self {
        HttpRefusal { status, error_type, message: message.to_owned() }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let trace_id = Uuid::new_v4().to_string();
        // Two strings always make JSON.
        let json =
            serde_json::to_vec(&Json { message: &self.message, trace_id: &trace_id }).unwrap_or_default();
        let mut response = Response::new(full(json));
        *response.status_mut() = self.status;
        let headers = [
            (CONTENT_TYPE, "application/json".to_owned()),
            (HeaderName::from_static("x-amzn-errortype"), format!("{}:", self.error_type)),
            (HeaderName::from_static("x-amzn-requestid"), trace_id),
        ];
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 §15.5.22 asks for it.
            response.headers_mut().insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}
