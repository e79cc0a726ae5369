//! The canonical request of Signature Version 4.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// AWS's URI encoding leaves the unreserved characters of RFC 3986 alone.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// The parameters of a query, in the order they came in.
#[derive(Clone, Debug)]
pub(crate) struct Query(Vec<Parameter>);

/// One parameter, decoded.
#[derive(Clone, Debug)]
struct Parameter {
    /// The name as it was sent: a name of AWS's own is known only without encoding.
    raw_name: String,
    name: String,
    value: String,
}

impl Query {
    /// `None` when a parameter is not UTF-8.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        let decode = |text| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        raw.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some(Parameter { raw_name: name.to_owned(), name: decode(name)?, value: decode(value)? })
            })
            .collect::<Option<_>>()
            .map(Query)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|parameter| parameter.raw_name == name).map(|parameter| parameter.value.as_str())
    }

    /// Whether a parameter of AWS's own is there more than once, encoded or not: which of them counts would be a guess.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let mut names: Vec<_> = self
            .0
            .iter()
            .map(|parameter| parameter.name.as_str())
            .filter(|name| name.starts_with("X-Amz-"))
            .collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Without the signature and the token, which AWS IoT has appended after signing.
    pub(crate) fn without_signature(mut self) -> Self {
        self.0.retain(|parameter| {
            !matches!(parameter.raw_name.as_str(), "X-Amz-Signature" | "X-Amz-Security-Token")
        });
        self
    }

    /// Encoded anew and sorted.
    fn canonical(&self) -> String {
        let mut pairs: Vec<_> =
            self.0.iter().map(|parameter| (encode(&parameter.name), encode(&parameter.value))).collect();
        pairs.sort();
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

/// The text whose hash is signed. `headers` holds the signed headers, lower-case and sorted; `payload` is the SHA-256 of
/// the body, in hexadecimal digits.
pub(crate) fn canonical_request(
    method: &str,
    path: &str,
    query: &Query,
    headers: &[(String, String)],
    payload: &str,
) -> String {
    let path = utf8_percent_encode(path, ENCODED_IN_PATH);
    let query = query.canonical();
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", trimmed(value))).collect();
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// White space at the ends is dropped, runs of it become one space.
fn trimmed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// The example of "Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference, whose payload
    /// is unsigned; all else is as here.
    #[test]
    fn is_that_of_the_aws_documentation() {
        let raw = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host";
        let headers = [("host".to_owned(), "examplebucket.s3.amazonaws.com".to_owned())];
        let query = Query::parse(raw).unwrap();
        let request = canonical_request("GET", "/test.txt", &query, &headers, "UNSIGNED-PAYLOAD");
        assert_eq!(
            hex::encode(Sha256::digest(request)),
            "3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04"
        );
    }

    #[test]
    fn queries_are_sorted_and_encoded_anew() {
        let query = Query::parse("b=%7e&X-Amz-Signature=x&a=2&a=1%2f+&X-Amz-Security-Token=t&c").unwrap();
        assert_eq!(query.without_signature().canonical(), "a=1%2F%2B&a=2&b=~&c=");
        assert!(Query::parse("a=%ff").is_none());
    }

    #[test]
    fn names_of_aws_are_known_as_they_are_and_occur_once() {
        let query = Query::parse("X%2DAmz-Signature=x").unwrap();
        assert_eq!(query.value("X-Amz-Signature"), None);
        assert_eq!(query.without_signature().canonical(), "X-Amz-Signature=x");
        for (raw, ambiguous) in [
            ("X-Amz-Date=1&X-Amz-Expires=2&a=1&a=2", false),
            ("X-Amz-Date=1&a=1&X-Amz-Date=1", true),
            ("X-Amz-Date=1&X%2dAmz-Date=2", true),
            ("X-Amz-Other=1&X-Amz-Other", true),
        ] {
            assert_eq!(Query::parse(raw).unwrap().is_ambiguous(), ambiguous, "{raw}");
        }
    }
}
