//! What a request says of its own signature.

use crate::sigv4::Refusal;
use crate::sigv4::canonical::Query;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a signature, as they were sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub(super) credential: &'a str,
    pub(super) amz_date: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signature: &'a str,
    pub(super) token: Option<&'a str>,
}

impl<'a> Claim<'a> {
    /// Of a request that has them as parameters.
    pub(super) fn of_query(query: &'a Query) -> Result<Self, Refusal> {
        let signature = query.value("X-Amz-Signature").ok_or(Refusal::MissingAuthentication)?;
        if query.value("X-Amz-Algorithm") != Some(ALGORITHM) {
            return Err(Refusal::Incomplete("Unsupported AWS 'algorithm'; expected 'AWS4-HMAC-SHA256'"));
        }
        let credential = query
            .value("X-Amz-Credential")
            .ok_or(Refusal::Incomplete("AWS query-string parameters must include 'X-Amz-Credential'"))?;
        let amz_date = query
            .value("X-Amz-Date")
            .ok_or(Refusal::Incomplete("AWS query-string parameters must include 'X-Amz-Date'"))?;
        let signed_headers = query
            .value("X-Amz-SignedHeaders")
            .ok_or(Refusal::Incomplete("AWS query-string parameters must include 'X-Amz-SignedHeaders'"))?;
        if !is_among("host", signed_headers) {
            return Err(Refusal::Incomplete("'Host' must be a 'SignedHeader' in the AWS query string"));
        }
        let token = query.value("X-Amz-Security-Token");
        Ok(Claim { credential, amz_date, signed_headers, signature, token })
    }

    /// Of a call that has them in `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, and the
    /// rest in headers of their own. All headers of AWS's have to be signed.
    pub(super) fn of_headers(headers: &'a [(String, String)]) -> Result<Self, Refusal> {
        let authorization = single(headers, "authorization")?.ok_or(Refusal::MissingAuthentication)?;
        let parts = authorization
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(Refusal::Incomplete("Unsupported AWS 'algorithm'; expected 'AWS4-HMAC-SHA256'"))?;
        let part = |name: &str| {
            let mut values =
                parts.split(',').filter_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            values.next().filter(|_| values.next().is_none())
        };
        let credential = part("Credential")
            .ok_or(Refusal::Incomplete("Authorization header requires 'Credential' parameter."))?;
        let signed_headers = part("SignedHeaders")
            .ok_or(Refusal::Incomplete("Authorization header requires 'SignedHeaders' parameter."))?;
        let signature = part("Signature")
            .ok_or(Refusal::Incomplete("Authorization header requires 'Signature' parameter."))?;
        let amz_date = single(headers, "x-amz-date")?.ok_or(Refusal::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ))?;
        if !is_among("host", signed_headers) {
            return Err(Refusal::Incomplete(
                "'Host' must be a 'SignedHeader' in the AWS Authorization header.",
            ));
        }
        if headers.iter().any(|(name, _)| name.starts_with("x-amz-") && !is_among(name, signed_headers)) {
            return Err(Refusal::WrongSignature);
        }
        let token = single(headers, "x-amz-security-token")?;
        Ok(Claim { credential, amz_date, signed_headers, signature, token })
    }
}

fn is_among(name: &str, signed_headers: &str) -> bool {
    signed_headers.split(';').any(|signed| signed == name)
}

/// The value of a header that may not occur more than once.
fn single<'a>(headers: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values =
        headers.iter().filter(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (_, Some(_)) => {
            Err(Refusal::Incomplete("A header of the AWS signature must not occur more than once"))
        }
        (value, None) => Ok(value),
    }
}
