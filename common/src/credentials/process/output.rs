//! The output of a `credential_process`.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

/// Output that holds no credentials. The message shows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidOutput {
    #[error("nothing")]
    Nothing,
    #[error("no JSON object")]
    NotJson,
    #[error("no \"Version\": 1")]
    Version,
    #[error("no {0}")]
    Missing(&'static str),
    #[error("an Expiration that is no time (2030-01-02T03:04:05Z)")]
    Expiration,
}

pub(super) fn parse(output: &[u8]) -> Result<Credentials, InvalidOutput> {
    if output.trim_ascii().is_empty() {
        return Err(InvalidOutput::Nothing);
    }
    let members: Map<String, Value> = serde_json::from_slice(output).map_err(|_| InvalidOutput::NotJson)?;
    // The SDKs take the names in any case.
    let member =
        |name: &str| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = |name| member(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if member("Version").and_then(Value::as_i64) != Some(1) {
        return Err(InvalidOutput::Version);
    }
    let required = |name| text(name).ok_or(InvalidOutput::Missing(name));
    let expiration = match member("Expiration") {
        None | Some(Value::Null) => None,
        Some(time) => Some(time.as_str().and_then(point_in_time).ok_or(InvalidOutput::Expiration)?),
    };
    Ok(Credentials::new(
        required("AccessKeyId")?,
        required("SecretAccessKey")?,
        text("SessionToken").map(ToOwned::to_owned),
        expiration,
        "CredentialProcess",
    ))
}

fn point_in_time(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, Format::DateTimeWithOffset).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WHOLE: &str = r#"{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"hush","SessionToken":"quiet",
        "Expiration":"2030-01-02T04:04:05+01:00"}"#;

    #[test]
    fn credentials_are_read() {
        let credentials = parse(WHOLE.as_bytes()).unwrap();
        assert_eq!((credentials.access_key_id(), credentials.secret_access_key()), ("ASIA", "hush"));
        assert_eq!(credentials.session_token(), Some("quiet"));
        let expiry = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445));
        assert_eq!(credentials.expiry(), expiry);
        let utc = WHOLE.replace("04:04:05+01:00", "03:04:05.000Z");
        assert_eq!(parse(utc.as_bytes()).unwrap().expiry(), expiry);

        let lasting =
            r#"{"version":1,"accessKeyID":"AKIA","SECRETACCESSKEY":"hush","SessionToken":"","x":[]}"#;
        let credentials = parse(lasting.as_bytes()).unwrap();
        assert_eq!((credentials.session_token(), credentials.expiry()), (None, None));
    }

    #[test]
    fn output_without_credentials_is_refused() {
        for (output, error) in [
            (" \n", InvalidOutput::Nothing),
            ("hush", InvalidOutput::NotJson),
            ("[]", InvalidOutput::NotJson),
            (&WHOLE[..WHOLE.len() - 1], InvalidOutput::NotJson),
            ("{}", InvalidOutput::Version),
            (&WHOLE.replace(":1,", ":2,"), InvalidOutput::Version),
            (&WHOLE.replace(":1,", ":\"1\","), InvalidOutput::Version),
            (&WHOLE.replace("AccessKeyId", "Key"), InvalidOutput::Missing("AccessKeyId")),
            (&WHOLE.replace("hush", ""), InvalidOutput::Missing("SecretAccessKey")),
            (&WHOLE.replace("2030-01-02T04:04:05+01:00", "tomorrow"), InvalidOutput::Expiration),
            (&WHOLE.replace("\"2030-01-02T04:04:05+01:00\"", "1893553445"), InvalidOutput::Expiration),
        ] {
            assert_eq!(parse(output.as_bytes()).unwrap_err(), error, "{output}");
        }
    }
}
