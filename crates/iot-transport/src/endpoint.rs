//! The name of a broker, as a user types it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use rustls::pki_types::ServerName;

use crate::region;

/// A broker's host, and its port where that is not the authentication method's default.
///
/// [`parse`](Endpoint::parse) takes the bare host name that `aws iot describe-endpoint --endpoint-type
/// iot:Data-ATS` prints, or an IP address; a URL or a `host:port` is refused with a word on what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// In lower case; an IPv6 address has no brackets.
    host: String,
    port: Option<u16>,
}

/// Text that is not the name of a broker. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(String);

/// The longest name and the longest label of one (RFC 1035 §2.3.4), in bytes.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// The DNS suffixes of the AWS partitions, those of dual-stack endpoints included, as in the partition data of the AWS
/// SDKs (`endpoint_lib.rs` of aws-sdk-sts, a copy of botocore's `partitions.json`). GovCloud has those of `aws`.
const AWS_SUFFIXES: [&str; 14] = [
    // aws, aws-us-gov
    ".amazonaws.com",
    ".api.aws",
    // aws-cn
    ".amazonaws.com.cn",
    ".api.amazonwebservices.com.cn",
    // aws-eusc
    ".amazonaws.eu",
    ".api.amazonwebservices.eu",
    // aws-iso, aws-iso-b, aws-iso-e, aws-iso-f
    ".c2s.ic.gov",
    ".api.aws.ic.gov",
    ".sc2s.sgov.gov",
    ".api.aws.scloud",
    ".cloud.adc-e.uk",
    ".api.cloud-aws.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.hci.ic.gov",
];

/// Those that had endpoints while AWS still took certificates from Symantec.
const LEGACY_SUFFIXES: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

impl Endpoint {
    /// Reads a host name, an IPv4 address, or an IPv6 address with or without its brackets.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] for everything else: a URL, a path, a port, a space, a name that DNS cannot hold.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let text = text.trim();
        refuse_url(text)?;
        if has_zone_id(text) {
            return Err(InvalidEndpoint(format!(
                "\"{text}\" has a zone ID, which is not supported: give a name, or an address that is valid without one"
            )));
        }
        if let Some(address) = ipv6(text)? {
            return Ok(Self { host: address.to_string(), port: None });
        }
        if let Some((host, port)) = text.rsplit_once(':') {
            return Err(InvalidEndpoint(format!(
                "\"{text}\" holds a port: give the host alone (\"{host}\") and the port {port} on its own"
            )));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        check_name(text, &name)?;
        Ok(Self { host: name, port: None })
    }

    /// Reads what [`parse`](Self::parse) does, or the same with a port behind it: `host:port`, `[address]:port`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] for everything else.
    pub fn parse_with_port(text: &str) -> Result<Self, InvalidEndpoint> {
        let text = text.trim();
        match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let port = port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(|| {
                    refuse_url(text).err().unwrap_or_else(|| {
                        InvalidEndpoint(format!("\"{port}\" is not a port: expected 1 to 65535"))
                    })
                })?;
                Ok(Self::parse(host)?.with_port(port))
            }
            _ => Self::parse(text),
        }
    }

    /// This host with another port than the authentication method's default.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// The host: a name in lower case, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one was given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// `host:port`, with an IPv6 address in brackets.
    pub fn authority(&self, port: u16) -> String {
        format!("{}:{port}", bracketed(&self.host))
    }

    /// The AWS region in an AWS IoT Core endpoint's name.
    ///
    /// Known forms: `<prefix>-ats.iot.<region>.amazonaws.com` and the legacy one without `-ats`, the FIPS
    /// service `iot-fips`, the dual-stack suffix `api.aws`, a VPC endpoint (`….vpce.amazonaws.com`), and each with the
    /// suffix of another partition, such as `amazonaws.com.cn` or `amazonaws.eu`.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.aws_labels().map(|(_, region)| region)
    }

    /// Returns whether AWS owns the name, of AWS IoT Core or of another service.
    #[must_use]
    pub fn is_aws(&self) -> bool {
        self.before(&AWS_SUFFIXES).is_some()
    }

    /// Whether this is an AWS endpoint whose certificate comes from the legacy Symantec CA, for which many
    /// systems have no root any more: one without `-ats`.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.aws_labels().is_some_and(|(prefix, _)| {
            self.before(&LEGACY_SUFFIXES).is_some()
                && !prefix.ends_with("-ats")
                && !prefix.contains('.')
                && prefix != "data"
                && !self.host.contains(".vpce.")
        })
    }

    /// The prefix and the region of an AWS endpoint.
    fn aws_labels(&self) -> Option<(&str, &str)> {
        let name = self.before(&AWS_SUFFIXES)?;
        let name = name.strip_suffix(".vpce").unwrap_or(name);
        let (name, region) = name.rsplit_once('.')?;
        let prefix = name.strip_suffix(".iot").or_else(|| name.strip_suffix(".iot-fips"))?;
        region::is_name(region).then_some((prefix, region))
    }

    /// The name without the one of `suffixes` that it ends in.
    fn before(&self, suffixes: &[&str]) -> Option<&str> {
        suffixes.iter().find_map(|suffix| self.host.strip_suffix(suffix))
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => f.write_str(&self.authority(port)),
            None => f.write_str(&bracketed(&self.host)),
        }
    }
}

/// A host as it stands before a port: an IPv6 address gets its brackets (RFC 3986 §3.2.2).
pub fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}

fn refuse_url(text: &str) -> Result<(), InvalidEndpoint> {
    let refuse = |problem: String| Err(InvalidEndpoint(problem));
    if text.is_empty() {
        return refuse("the endpoint is empty".to_owned());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        return refuse(format!("the endpoint is a host name, not a {scheme}:// URL: write \"{host}\""));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return refuse(format!("{text:?} holds a space or a control character"));
    }
    if let Some(at) = text.find(['/', '?', '#']) {
        return refuse(format!("\"{text}\" holds a path: write \"{}\"", &text[..at]));
    }
    if text.contains('@') {
        return refuse("the endpoint holds a user name: give the host alone".to_owned());
    }
    Ok(())
}

/// Returns whether the text is an IPv6 address with a zone ID, as in `fe80::1%eth0` (RFC 4007 §11), with or without
/// brackets and a port. TLS has no way to verify a server by one.
pub(crate) fn has_zone_id(text: &str) -> bool {
    let text = text.strip_prefix('[').unwrap_or(text);
    text.split_once('%').is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

/// The address if the text is one, with or without brackets; an error if brackets hold something else.
fn ipv6(text: &str) -> Result<Option<Ipv6Addr>, InvalidEndpoint> {
    let Some(inner) = text.strip_prefix('[') else {
        return Ok(text.parse().ok());
    };
    let Some((address, rest)) = inner.split_once(']') else {
        return Err(InvalidEndpoint(format!("\"{text}\" has an opening bracket only")));
    };
    if let Some(port) = rest.strip_prefix(':') {
        return Err(InvalidEndpoint(format!(
            "\"{text}\" holds a port: give the host alone (\"[{address}]\") and the port {port} on its own"
        )));
    }
    match (address.parse(), rest) {
        (Ok(address), "") => Ok(Some(address)),
        _ => Err(InvalidEndpoint(format!("\"{text}\" is not an IPv6 address in brackets"))),
    }
}

fn check_name(text: &str, name: &str) -> Result<(), InvalidEndpoint> {
    let refuse = |problem: String| Err(InvalidEndpoint(problem));
    if name.len() > MAX_NAME {
        return refuse(format!("the endpoint is {} bytes long; a name has {MAX_NAME} at most", name.len()));
    }
    if !name.is_ascii() {
        return refuse(format!("\"{text}\" is not ASCII: write an international name as xn--…"));
    }
    if let Some(other) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_')) {
        return refuse(format!("\"{text}\" holds {other:?}, which no host name does"));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return refuse(format!("\"{text}\" has an empty part between its dots"));
        }
        if label.len() > MAX_LABEL {
            return refuse(format!(
                "\"{label}\" is {} bytes long; a part of a name has {MAX_LABEL} at most",
                label.len()
            ));
        }
    }
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if numeric && name.parse::<IpAddr>().is_err() {
        return refuse(format!("\"{text}\" looks like an IP address but is none"));
    }
    // The last word is the TLS library's, which has to check the server's certificate against this name.
    if ServerName::try_from(name).is_err() {
        return refuse(format!("\"{text}\" is not a host name"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
