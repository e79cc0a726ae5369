//! Raw requests to the services that give out credentials.

use std::net::TcpStream;
use std::time::Duration;

use sandbox::{CredentialOutcome, Credentials, Device, Sandbox};
use serde_json::Value;

use crate::support::tls::{Answer, Options, connect, exchange, http};

/// Posts to the HTTPS port. Each of `headers` ends with a line break.
pub(crate) fn post(sandbox: &Sandbox, headers: &str, body: &str) -> Answer {
    http(
        sandbox,
        &format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

/// Gets from the HTTPS port, with the device's certificate if there is one.
pub(crate) fn get(sandbox: &Sandbox, device: Option<&Device>, target: &str, headers: &str) -> Answer {
    let options = Options { device, ..Options::https(sandbox) };
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    exchange(&mut connect(&options).unwrap(), &request)
}

/// Sends a request without a body to the metadata port.
pub(crate) fn metadata(sandbox: &Sandbox, method: &str, target: &str, headers: &str) -> Answer {
    let address = sandbox.metadata().endpoint.strip_prefix("http://").unwrap();
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    exchange(&mut tcp, &format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"))
}

/// The text of the first element of that name.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

/// The credentials in an answer's JSON, by the names of its members.
pub(crate) fn credentials(sandbox: &Sandbox, json: &Value, names: [&str; 3]) -> Credentials {
    let [access_key_id, secret_access_key, session_token] =
        names.map(|name| json[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned());
    // The type is open for more fields, so that only a copy can be changed.
    let mut credentials = sandbox.credentials().clone();
    credentials.access_key_id = access_key_id;
    credentials.secret_access_key = secret_access_key;
    credentials.session_token = session_token;
    credentials
}

/// What the sandbox remembers of the last request.
pub(crate) fn last_outcome(sandbox: &Sandbox) -> CredentialOutcome {
    sandbox.credential_requests().last().unwrap().outcome.clone()
}

/// Whether a time in ISO 8601 is an hour from now, give or take ten seconds.
pub(crate) fn in_an_hour(expiration: &str) -> bool {
    let expiration: jiff::Timestamp = expiration.parse().unwrap();
    (3590..=3600).contains(&expiration.duration_since(jiff::Timestamp::now()).as_secs())
}
