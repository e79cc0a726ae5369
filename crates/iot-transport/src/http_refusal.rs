//! What an HTTP answer says about why a WebSocket upgrade, or a proxy's CONNECT, was refused.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::header::{DATE, HeaderMap};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::text::{one_line, shortened, words};

/// The most characters of a body that is not AWS's JSON which are shown.
const MAX_TEXT: usize = 300;

/// The most bytes of a refusal's body that are kept, and how long is waited for them. A refusal must not turn into
/// a timeout because its body is slow.
const MAX_BODY: usize = 16 * 1024;
const BODY_WAIT: Duration = Duration::from_secs(2);

/// The HTTP answer of a server that refuses what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRefusal {
    /// The HTTP status code.
    pub status: u16,
    /// The service's name for the error, such as `ResourceNotFoundException`: of the `x-amzn-ErrorType` header, without
    /// its trailing colon.
    pub error_type: Option<String>,
    /// `message` of the JSON body, or the start of any other text body.
    pub message: Option<String>,
    /// Our clock minus the server's `Date`, in seconds; positive when ours is fast.
    pub clock_skew: Option<i64>,
}

impl HttpRefusal {
    /// The clock skew from which AWS IoT Core turns a signature down, in seconds.
    pub const MAXIMUM_SKEW: u64 = 300;

    /// Reads status, headers and body of a refusal that has just arrived.
    #[must_use]
    pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        Self {
            status: status.as_u16(),
            error_type: text_header(headers, "x-amzn-errortype")
                // AWS writes "ForbiddenException:", at times with a URL behind the colon.
                .and_then(|value| value.split(':').next())
                .map(str::trim)
                .filter(|value| !value.is_empty())
                // A header may hold a tab.
                .map(one_line),
            message: message(body),
            clock_skew: text_header(headers, DATE.as_str())
                .and_then(|date| clock_skew(date, SystemTime::now())),
        }
    }

    /// An answer without a `Date`.
    pub fn new(status: u16, error_type: Option<String>, message: Option<String>) -> Self {
        Self { status, error_type, message, clock_skew: None }
    }

    /// Returns whether this is the service's error of that name.
    pub fn is(&self, error_type: &str) -> bool {
        self.error_type.as_deref() == Some(error_type)
    }

    /// Whether another request of the same kind would be refused as well.
    pub fn is_permanent(&self) -> bool {
        matches!(self.status, 400 | 401 | 403 | 404)
    }

    /// Whether the clocks disagree by more than a signature may be old.
    pub fn is_clock(&self) -> bool {
        self.clock_skew.is_some_and(|skew| skew.unsigned_abs() > Self::MAXIMUM_SKEW)
    }
}

impl fmt::Display for HttpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(error_type) = &self.error_type {
            write!(f, " {error_type}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl StdError for HttpRefusal {}

/// The start of a refusal's body; what cannot be had of it is left out.
pub(super) async fn read_body(response: &mut Response<Incoming>) -> Bytes {
    let mut body = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = response.body_mut().frame().await {
            if let Some(data) = frame.data_ref() {
                body.extend_from_slice(&data[..data.len().min(MAX_BODY - body.len())]);
            }
            if body.len() == MAX_BODY {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(BODY_WAIT, reading).await;
    body.freeze()
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `now` minus the server's `Date` header, in seconds.
fn clock_skew(date: &str, now: SystemTime) -> Option<i64> {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok();
    let (server, now): (i64, i64) = (seconds(httpdate::parse_http_date(date).ok()?)?, seconds(now)?);
    now.checked_sub(server)
}

/// `message` of a JSON body, or the start of any other text, in one line.
fn message(body: &[u8]) -> Option<String> {
    let from_json = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|json| {
        ["message", "Message"].iter().find_map(|key| json.get(key)?.as_str().map(ToOwned::to_owned))
    });
    let text = from_json.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    shortened(words(&text).map(without_signature).collect::<Vec<_>>().join(" "), MAX_TEXT)
}

/// Servers and proxies like to repeat the address that was asked for, and ours is signed: its query holds the
/// signature and the session token.
fn without_signature(word: &str) -> Cow<'_, str> {
    let query = word.to_ascii_lowercase().find("x-amz-").filter(|&at| word[at..].contains(['=', '%']));
    query.map_or(Cow::Borrowed(word), |at| Cow::Owned(format!("{}…", &word[..at])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_aws_answers() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amzn-errortype", "ForbiddenException:".parse().expect("a value"));
        let refusal = HttpRefusal::read(
            StatusCode::FORBIDDEN,
            &headers,
            br#"{"message":"Missing token","traceId":"1"}"#,
        );
        assert_eq!(refusal.to_string(), "HTTP 403 ForbiddenException: Missing token");
        assert_eq!(refusal.clock_skew, None);
    }

    #[test]
    fn reads_other_bodies() {
        assert_eq!(message(b""), None);
        assert_eq!(message(b" <html>\n  \x1b[2Jno\n"), Some("<html> [2Jno".to_owned()));
        assert_eq!(message(br#"{"Message":"Forbidden"}"#), Some("Forbidden".to_owned()));
        assert_eq!(
            message(b"<p>https://a.example/mqtt?x=1&X-Amz-Credential=AKID&X-Amz-Security-Token=hush</p> was not found"),
            Some("<p>https://a.example/mqtt?x=1&… was not found".to_owned())
        );
        assert_eq!(message(b"no X-Amz-Date header"), Some("no X-Amz-Date header".to_owned()));
        assert_eq!(message(b"\xff"), Some("\u{fffd}".to_owned()));
        assert_eq!(message("é".repeat(400).as_bytes()).map(|text| text.chars().count()), Some(301));
    }

    #[test]
    fn the_skew_is_positive_when_our_clock_is_fast() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 + 400);
        assert_eq!(clock_skew("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(400));
        assert_eq!(clock_skew("Sun, 06 Nov 1994 09:49:37 GMT", now), Some(-3200));
        for garbage in ["", "yesterday", "Sun, 06 Nov 99999 08:49:37 GMT", "-1"] {
            assert_eq!(clock_skew(garbage, now), None, "{garbage}");
        }
    }
}
