//! AWS IoT's credentials provider: a client certificate trades itself for temporary credentials of a role
//! (<https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html>).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::{Request, StatusCode};
use iot_transport::https::{HttpClient, HttpLimits};
use iot_transport::websocket::host_header;
use iot_transport::{Cause, Endpoint, Error, HttpRefusal, Identity, Roots, Route};
use serde_json::Value;
use tokio::sync::Mutex;

/// Which role's credentials to ask for, and as which device. Its `Debug` hides the private key.
#[derive(Debug, Clone)]
pub struct X509Credentials {
    endpoint: Endpoint,
    role_alias: RoleAlias,
    thing_name: Option<ThingName>,
    identity: Identity,
    roots: Option<Roots>,
    /// Whose turn it is with a private key whose signatures may block.
    turn: Arc<Mutex<()>>,
}

impl X509Credentials {
    /// `endpoint` is what `aws iot describe-endpoint --endpoint-type iot:CredentialProvider` prints; its port is 443
    /// unless it has one.
    #[must_use]
    pub fn new(endpoint: Endpoint, role_alias: RoleAlias, identity: Identity) -> Self {
        Self { endpoint, role_alias, thing_name: None, identity, roots: None, turn: Arc::default() }
    }

    /// Names the thing that the certificate is attached to, for the variables of a thing in policies.
    #[must_use]
    pub fn with_thing_name(self, thing_name: ThingName) -> Self {
        Self { thing_name: Some(thing_name), ..self }
    }

    /// Trusts `roots` in place of those that the broker's certificate is checked against.
    #[must_use]
    pub fn with_roots(self, roots: Roots) -> Self {
        Self { roots: Some(roots), ..self }
    }

    /// Reads the roots of its own, before a connection attempt would have to.
    ///
    /// # Errors
    /// [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`].
    pub(crate) fn load_roots(&self) -> Result<(), Error> {
        self.roots.as_ref().map_or(Ok(()), |roots| roots.load().map(drop))
    }

    pub(crate) fn role_alias(&self) -> &RoleAlias {
        &self.role_alias
    }

    pub(crate) fn thing_name(&self) -> Option<&ThingName> {
        self.thing_name.as_ref()
    }

    /// Asks the provider. `route` is the broker's.
    pub(super) async fn load(&self, route: &Route) -> Result<Credentials, Cause> {
        let route = match &self.roots {
            Some(roots) => &route.with_roots(roots.clone()),
            None => route,
        };
        let client = HttpClient::new(route).with_identity(&self.identity, &self.turn);
        let answer = client.send(self.request()?, HttpLimits::default()).await?;
        let body = answer.body();
        if answer.status() != StatusCode::OK {
            return Err(HttpRefusal::read(answer.status(), answer.headers(), body).into());
        }
        Ok(parse(body)?)
    }

    fn request(&self) -> Result<Request<String>, Cause> {
        let authority = host_header(self.endpoint.host(), self.endpoint.port().unwrap_or(443));
        let path = format!("role-aliases/{}/credentials", self.role_alias.as_str());
        let request = Request::get(format!("https://{authority}/{path}"));
        let request = match &self.thing_name {
            Some(thing_name) => request.header("x-amzn-iot-thingname", thing_name.as_str()),
            None => request,
        };
        Ok(request.body(String::new())?)
    }
}

impl fmt::Display for X509Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alias = self.role_alias.as_str();
        write!(f, "the IoT credentials provider {} for role alias {alias}", self.endpoint)
    }
}

/// What an answer lacks. It says nothing of what the answer holds, which is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum InvalidAnswer {
    #[error("the answer is not JSON: is this the endpoint of the credentials provider?")]
    NotJson,
    #[error("the answer's credentials have no {0}")]
    Missing(&'static str),
    #[error("the answer's expiration is not a time")]
    Expiration,
}

fn parse(body: &[u8]) -> Result<Credentials, InvalidAnswer> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| InvalidAnswer::NotJson)?;
    let part = |name| {
        let part = answer["credentials"][name].as_str().filter(|part| !part.is_empty());
        part.ok_or(InvalidAnswer::Missing(name))
    };
    let expiration = DateTime::from_str(part("expiration")?, Format::DateTime)
        .ok()
        .and_then(|time| SystemTime::try_from(time).ok())
        .ok_or(InvalidAnswer::Expiration)?;
    Ok(Credentials::new(
        part("accessKeyId")?,
        part("secretAccessKey")?,
        Some(part("sessionToken")?.to_owned()),
        Some(expiration),
        "IotCredentialsProvider",
    ))
}

/// The name of a role alias (`[\w=,@-]+`, up to 128 characters:
/// <https://docs.aws.amazon.com/iot/latest/apireference/API_CreateRoleAlias.html>).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleAlias(String);

/// The name of a thing (`[a-zA-Z0-9:_-]+`, up to 128 characters:
/// <https://docs.aws.amazon.com/iot/latest/apireference/API_CreateThing.html>).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ThingName(String);

/// Text that AWS IoT does not take as a name. The message says what may stand in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MAX_NAME} characters of a-z, A-Z, 0-9 and {allowed}")]
pub struct InvalidName {
    allowed: &'static str,
}

const MAX_NAME: usize = 128;

impl RoleAlias {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ThingName {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleAlias {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        checked(text, "_=,@-").map(Self)
    }
}

impl FromStr for ThingName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        checked(text, ":_-").map(Self)
    }
}

/// One name becomes part of a path, the other a header: neither may end it.
fn checked(text: &str, allowed: &'static str) -> Result<String, InvalidName> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || allowed.contains(c);
    match (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err(InvalidName { allowed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_what_a_path_and_a_header_can() {
        assert!("my_alias=1,@-".parse::<RoleAlias>().is_ok());
        assert!("Line:1_a-b".parse::<ThingName>().is_ok());
        for bad in ["", "a/b", "a b", "a\r\nb", "..%2f", "é", "a?b", &"x".repeat(129)] {
            assert!(bad.parse::<RoleAlias>().is_err() && bad.parse::<ThingName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let whole = r#"{"credentials":{"accessKeyId":"ASIA","secretAccessKey":"hush","sessionToken":"quiet",
            "expiration":"2030-01-02T03:04:05Z"}}"#;
        let credentials = parse(whole.as_bytes()).unwrap();
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("ASIA", Some("quiet")));
        let expiry = credentials.expiry().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        assert_eq!(expiry.map(|since| since.as_secs()), Some(1_893_553_445));
        for (body, error) in [
            ("<html>", InvalidAnswer::NotJson),
            ("{}", InvalidAnswer::Missing("expiration")),
            (&whole.replace("sessionToken", "token"), InvalidAnswer::Missing("sessionToken")),
            (&whole.replace("hush", ""), InvalidAnswer::Missing("secretAccessKey")),
            ("[]", InvalidAnswer::Missing("expiration")),
            (&whole.replace("2030-01-02T03:04:05Z", "tomorrow"), InvalidAnswer::Expiration),
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap_err(), error);
        }
    }
}
