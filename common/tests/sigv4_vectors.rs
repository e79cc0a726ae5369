//! Signatures made by other implementations, which ours must equal.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use common::sigv4::{SigningRequest, presign};
use iot_transport::websocket::host_header;
use serde_json::Value;

/// The fewest cases that must be checked, so that an emptied file does not pass.
const MIN_CASES: usize = 40;

#[test]
fn signs_as_other_implementations_do() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/sigv4.json");
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let vectors: Value = serde_json::from_str(&text).expect("the vectors are JSON");
    let cases = vectors["cases"].as_array().expect("an array of cases");
    // The official clients leave X-Amz-Expires out where it is 0; aws-sigv4 cannot, and AWS IoT Core ignores it.
    let with_expiry: Vec<_> = cases.iter().filter(|case| !case["expires_seconds"].is_null()).collect();
    assert!(with_expiry.len() >= MIN_CASES, "only {} cases with an expiry", with_expiry.len());
    with_expiry.into_iter().for_each(check);
}

fn check(case: &Value) {
    let text = |key: &str| case[key].as_str().unwrap_or_else(|| panic!("no {key} in {case}"));
    let number = |key: &str| case[key].as_u64().unwrap_or_else(|| panic!("no {key} in {case}"));
    let name = text("name");
    let token = case["session_token"].as_str();
    let credentials = Credentials::new(
        text("access_key_id"),
        text("secret_access_key"),
        token.map(ToOwned::to_owned),
        None,
        "vectors",
    );
    let target = presign(&SigningRequest {
        host_header: &host_header(text("host"), u16::try_from(number("port")).expect("a port")),
        region: text("region"),
        credentials: &credentials,
        time: basic_time(text("time")),
        expires: Duration::from_secs(number("expires_seconds")),
    })
    .unwrap_or_else(|error| panic!("{name}: {error}"));

    assert_eq!(target.strip_prefix("/mqtt?"), Some(text("query")), "{name}");
}

/// `yyyymmddThhmmssZ`, the form of a signature.
fn basic_time(text: &str) -> SystemTime {
    let extended = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &text[..4],
        &text[4..6],
        &text[6..8],
        &text[9..11],
        &text[11..13],
        &text[13..15]
    );
    let time = DateTime::from_str(&extended, Format::DateTime).expect("a time");
    SystemTime::try_from(time).expect("a time of this system")
}
