//! Checks one signed request after the other.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::clock::parse_amz_date;
use crate::credentials::{CredentialStore, Holder};
use crate::secret;
use crate::sigv4::Refusal;
use crate::sigv4::canonical::{Query, canonical_request};
use crate::sigv4::claim::{ALGORITHM, Claim};
use crate::sigv4::refusal::TOLERANCE;

const SERVICE: &str = "iotdevicegateway";
const TERMINATOR: &str = "aws4_request";

/// Knows the credentials and the region.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    pub(crate) region: String,
    pub(crate) credentials: Arc<CredentialStore>,
}

/// A request as it was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    /// Still encoded.
    pub(crate) path: &'a str,
    /// Still encoded, without the question mark.
    pub(crate) query: &'a str,
    /// Names in lower case.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

/// The headers of a request as a signature is verified by them.
pub(crate) fn header_pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Whether a request is meant to be signed: it has a parameter of Signature Version 4, complete or not, or its
/// `Authorization` header.
pub(crate) fn is_attempted(request: &SignedRequest<'_>) -> bool {
    let of_aws = |name: &str| {
        let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
        // What custom authorizers are given begins alike.
        name.starts_with("x-amz-") && !name.starts_with("x-amz-customauthorizer-")
    };
    let mut names = request.query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    names.any(of_aws)
        || request.headers.iter().any(|(name, value)| name == "authorization" && value.starts_with(ALGORITHM))
}

/// What a valid signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Whose credentials it is made with.
    pub(crate) holder: Holder,
    pub(crate) access_key_id: String,
    pub(crate) amz_date: String,
}

impl Verifier {
    /// Verifies a request to AWS IoT that is signed in its query, at the time `now`.
    pub(crate) fn verify(&self, request: SignedRequest<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        let query =
            Query::parse(request.query).ok_or(Refusal::Incomplete("The query string is not valid UTF-8"))?;
        if query.is_ambiguous() {
            return Err(Refusal::Incomplete("An AWS query-string parameter must not occur more than once"));
        }
        let claim = Claim::of_query(&query)?;
        self.check(&claim, SERVICE, &query.clone().without_signature(), request, now)
    }

    /// Verifies a call to `service` that is signed in its `Authorization` header, at the time `now`.
    pub(crate) fn verify_call(
        &self,
        request: SignedRequest<'_>,
        service: &'static str,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        let query =
            Query::parse(request.query).ok_or(Refusal::Incomplete("The query string is not valid UTF-8"))?;
        let claim = Claim::of_headers(request.headers)?;
        self.check(&claim, service, &query, request, now)
    }

    /// `query` is what is signed of it.
    fn check(
        &self,
        claim: &Claim<'_>,
        expected_service: &'static str,
        query: &Query,
        request: SignedRequest<'_>,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        let Claim { credential, amz_date, signed_headers, signature, token } = *claim;
        let [access_key_id, date, region, service, terminator] =
            credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(Refusal::Incomplete("Credential must have exactly 5 slash-delimited elements"));
        };

        let known = self.credentials.find(access_key_id).ok_or(Refusal::InvalidToken)?;
        if terminator != TERMINATOR {
            return Err(Refusal::WrongTerminator);
        }
        if service != expected_service {
            return Err(Refusal::WrongService(expected_service));
        }
        if region != self.region {
            return Err(Refusal::WrongRegion);
        }
        let signed = parse_amz_date(amz_date)
            .ok_or(Refusal::Incomplete("'X-Amz-Date' must be YYYYMMDD'T'HHMMSS'Z'"))?;
        if !amz_date.starts_with(date) || date.len() != 8 {
            return Err(Refusal::WrongScopeDate);
        }
        in_time(signed, now)?;

        // Read the headers before the token is looked at, so that each fault has its own answer.
        let headers = signed_header_values(signed_headers, request.headers)?;
        let payload = hex::encode(Sha256::digest(request.body));
        let canonical = canonical_request(request.method, request.path, query, &headers, &payload);
        let scope = format!("{date}/{region}/{service}/{terminator}");
        let to_sign = format!("{ALGORITHM}\n{amz_date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let secret = &known.credentials.secret_access_key;
        let key = [date, region, service, terminator]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
                mac(&key, part).finalize().into_bytes().to_vec()
            });
        let claimed = signature_bytes(signature).ok_or(Refusal::WrongSignature)?;
        mac(&key, &to_sign).verify_slice(&claimed).map_err(|_| Refusal::WrongSignature)?;

        if !token.is_some_and(|token| secret::same(token, &known.credentials.session_token)) {
            return Err(Refusal::InvalidToken);
        }
        if known.expires.is_some_and(|end| end <= now) {
            return Err(Refusal::ExpiredToken);
        }
        Ok(Verified {
            holder: known.holder,
            access_key_id: access_key_id.to_owned(),
            amz_date: amz_date.to_owned(),
        })
    }
}

/// A signature is written in one way only: 64 hexadecimal digits in lower case.
fn signature_bytes(signature: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let lower = !signature.contains(char::is_uppercase);
    hex::decode_to_slice(signature, &mut bytes).ok().filter(|()| lower).map(|()| bytes)
}

fn in_time(signed: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let age = now.duration_since(signed);
    if age > TOLERANCE {
        return Err(Refusal::Expired { signed, now });
    }
    if age < -TOLERANCE {
        return Err(Refusal::NotYetCurrent { signed, now });
    }
    Ok(())
}

/// The values of the headers that `names` lists, each once and in order.
fn signed_header_values(names: &str, headers: &[(String, String)]) -> Result<Vec<(String, String)>, Refusal> {
    let names: Vec<_> = names.split(';').collect();
    if !names.is_sorted_by(|name, next| name < next)
        || names.iter().any(|name| name.contains(char::is_uppercase))
    {
        return Err(Refusal::WrongSignature);
    }
    names
        .into_iter()
        .map(|name| {
            let values: Vec<_> = headers
                .iter()
                .filter(|(candidate, _)| candidate == name)
                .map(|(_, value)| value.as_str())
                .collect();
            if values.is_empty() {
                Err(Refusal::WrongSignature)
            } else {
                Ok((name.to_owned(), values.join(",")))
            }
        })
        .collect()
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    // HMAC pads or hashes its key: none is refused.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Credentials, Known};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOW: &str = "20261120T210000Z";

    fn verifier_of(region: &str, credentials: Credentials, expires: Option<Timestamp>) -> Verifier {
        let store = CredentialStore::default();
        store.add(Known { credentials, holder: Holder::Iam, expires });
        Verifier { region: region.to_owned(), credentials: Arc::new(store) }
    }

    fn verifier(expires: Option<&str>) -> Verifier {
        let credentials = Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: "to/ken+==".to_owned(),
        };
        verifier_of("us-east-1", credentials, expires.map(|end| parse_amz_date(end).unwrap()))
    }

    /// Signed by an independent script (`openssl dgst -mac HMAC`) for the host `localhost:8443`.
    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20261120%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
        &X-Amz-Date=20261120T210000Z&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=ddbb21271e6b89becd102031fff70be171e38dbdb7ec5dbfbaa4a8e47f839fb0\
        &X-Amz-Security-Token=to%2Fken%2B%3D%3D";

    fn verify_at(now: &str, query: &str, host: &str, expires: Option<&str>) -> Result<Verified, Refusal> {
        let headers = [("host".to_owned(), host.to_owned())];
        let request = SignedRequest { method: "GET", path: "/mqtt", query, headers: &headers, body: b"" };
        verifier(expires).verify(request, parse_amz_date(now).unwrap())
    }

    fn verify(query: &str) -> Result<Verified, Refusal> {
        verify_at(NOW, query, "localhost:8443", None)
    }

    #[test]
    fn accepts_what_another_implementation_signed() {
        let verified = verify(QUERY).unwrap();
        assert_eq!((verified.access_key_id.as_str(), verified.holder), ("ASIAIOSFODNN7EXAMPLE", Holder::Iam));
        assert_eq!(verified.amz_date, NOW);
    }

    /// The signing key of the example in "Create a signed AWS API request" (IAM user guide).
    #[test]
    fn derives_the_key_of_the_aws_documentation() {
        let key = ["20120215", "us-east-1", "iam", "aws4_request"]
            .iter()
            .fold(b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec(), |key, part| {
                mac(&key, part).finalize().into_bytes().to_vec()
            });
        assert_eq!(hex::encode(key), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
    }

    #[test]
    fn refuses_each_fault_in_its_own_words() {
        let without = |name: &str| {
            QUERY.split('&').filter(|pair| !pair.starts_with(name)).collect::<Vec<_>>().join("&")
        };
        let cases = [
            (String::new(), "Missing Authentication Token"),
            (without("X-Amz-Signature"), "Missing Authentication Token"),
            (without("X-Amz-Algorithm"), "Unsupported AWS 'algorithm'"),
            (without("X-Amz-Credential"), "must include 'X-Amz-Credential'"),
            (without("X-Amz-Date"), "must include 'X-Amz-Date'"),
            (without("X-Amz-SignedHeaders"), "must include 'X-Amz-SignedHeaders'"),
            (without("X-Amz-Security-Token"), "security token included in the request is invalid"),
            (QUERY.replace("to%2Fken", "to%2Fkan"), "security token included in the request is invalid"),
            (
                QUERY.replace("ASIAIOSFODNN7", "ASIAIOSFODNN8"),
                "security token included in the request is invalid",
            ),
            (QUERY.replace("us-east-1", "us-west-2"), "scoped to a valid region"),
            (QUERY.replace("iotdevicegateway", "iotdata"), "correct service: 'iotdevicegateway'"),
            (QUERY.replace("aws4_request", "aws5_request"), "valid terminator"),
            (QUERY.replace("%2F20261120%2F", "%2F20261119%2F"), "Date in Credential scope"),
            (QUERY.replace("T210000Z", "T2100"), "'X-Amz-Date' must be"),
            (QUERY.replace("SignedHeaders=host", "SignedHeaders=date"), "'Host' must be a 'SignedHeader'"),
            (QUERY.replace("Signature=", "Signature=00"), "signature we calculated does not match"),
            (QUERY.replace("ddbb21", "DDBB21"), "signature we calculated does not match"),
            (QUERY.replace("7f839fb0", "7f839f"), "signature we calculated does not match"),
            (QUERY.replace("=host", "=host%3Bhost"), "signature we calculated does not match"),
            (QUERY.replace("=host", "=host%3Bdate"), "signature we calculated does not match"),
            (QUERY.replace("=host", "=Date%3Bhost"), "signature we calculated does not match"),
            (QUERY.replace("X-Amz-Signature", "X%2DAmz-Signature"), "Missing Authentication Token"),
            (format!("{QUERY}&X-Amz-Date={NOW}"), "must not occur more than once"),
            (format!("{QUERY}&X-Amz-Security-Token=x"), "must not occur more than once"),
            (format!("{QUERY}&extra=1"), "signature we calculated does not match"),
        ];
        for (query, words) in cases {
            let refusal = verify(&query).unwrap_err().to_string();
            assert!(refusal.contains(words), "{query}: {refusal}");
        }
    }

    /// Vectors that botocore and aws-c-auth agree on.
    #[derive(serde::Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        host_header: String,
        region: String,
        access_key_id: String,
        secret_access_key: String,
        session_token: Option<String>,
        time: String,
        query: String,
    }

    impl Case {
        fn verify(&self, secret_access_key: String) -> Result<Verified, Refusal> {
            // The sandbox knows temporary credentials only. Where a case has no token, one is appended: it is not signed.
            let (token, query) = match &self.session_token {
                Some(token) => (token.clone(), self.query.clone()),
                None => ("token".to_owned(), format!("{}&X-Amz-Security-Token=token", self.query)),
            };
            let credentials = Credentials {
                access_key_id: self.access_key_id.clone(),
                secret_access_key,
                session_token: token,
            };
            let headers = [("host".to_owned(), self.host_header.clone())];
            let request =
                SignedRequest { method: "GET", path: "/mqtt", query: &query, headers: &headers, body: b"" };
            let now = parse_amz_date(&self.time).unwrap();
            verifier_of(&self.region, credentials, None).verify(request, now)
        }
    }

    #[test]
    fn accepts_the_vectors_of_other_implementations() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../common/tests/vectors/sigv4.json");
        let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert!(!vectors.cases.is_empty());
        for case in vectors.cases {
            let verified = case.verify(case.secret_access_key.clone());
            assert_eq!(verified.map(|verified| verified.amz_date), Ok(case.time.clone()), "{}", case.name);
            let mut wrong = case.secret_access_key.clone();
            let last = wrong.pop().unwrap();
            wrong.push(if last == 'x' { 'y' } else { 'x' });
            assert_eq!(case.verify(wrong), Err(Refusal::WrongSignature), "{}", case.name);
        }
    }

    #[test]
    fn a_signature_is_attempted_by_any_of_its_parts() {
        let headers = |header: &str| {
            let (name, value) = header.split_once(": ").unwrap_or(("host", "localhost"));
            [(name.to_owned(), value.to_owned())]
        };
        for (query, header, attempted) in [
            (QUERY, "", true),
            ("X-Amz-Date=x", "", true),
            ("a=b&x-amz-security-token", "", true),
            ("X%2DAmz-Signature=x", "", true),
            ("", "authorization: AWS4-HMAC-SHA256 Credential=x", true),
            ("", "", false),
            ("", "authorization: Bearer x", false),
            ("x-amz-customauthorizer-name=X-Amz-Date&token=X-Amz-Date", "", false),
        ] {
            let headers = headers(header);
            let request = SignedRequest { method: "GET", path: "/mqtt", query, headers: &headers, body: b"" };
            assert_eq!(is_attempted(&request), attempted, "{query} {header}");
        }
    }

    #[test]
    fn host_is_verified_as_sent() {
        assert_eq!(verify_at(NOW, QUERY, "localhost", None), Err(Refusal::WrongSignature));
    }

    #[test]
    fn expired_credentials_are_told_from_wrong_ones() {
        let until = |end| verify_at(NOW, QUERY, "localhost:8443", Some(end)).map(drop);
        assert_eq!(until("20261120T210001Z"), Ok(()));
        assert_eq!(until(NOW), Err(Refusal::ExpiredToken));
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        let at = |now| {
            verify_at(now, QUERY, "localhost:8443", None).map(drop).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(at("20261120T210500Z"), Ok(()));
        assert_eq!(at("20261120T205500Z"), Ok(()));
        assert_eq!(
            at("20261120T210501Z").unwrap_err(),
            "Signature expired: 20261120T210000Z is now earlier than 20261120T210001Z (20261120T210501Z - 5 min.)"
        );
        assert_eq!(
            at("20261120T205459Z").unwrap_err(),
            "Signature not yet current: 20261120T210000Z is still later than 20261120T205959Z (20261120T205459Z + 5 min.)"
        );
    }
}
