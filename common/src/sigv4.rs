//! The signed path of an MQTT over WebSocket connection (AWS Signature Version 4, in the query).
//!
//! Pure: time and credentials come in, text goes out. The source is AWS's guide, "MQTT over the WebSocket protocol"
//! (<https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html#mqtt-ws>).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use iot_client::WEBSOCKET_PATH;
use iot_transport::Cause;

/// The name of AWS IoT Core's data plane in a signature.
const SERVICE: &str = "iotdevicegateway";

/// The longest validity that Signature Version 4 allows.
const MAX_EXPIRES: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What goes into a signature. No `Debug`: it holds credentials.
pub struct SigningRequest<'a> {
    /// The `Host` header exactly as it will be sent; [`host_header`](iot_transport::websocket::host_header) makes it.
    pub host_header: &'a str,
    /// The signing region.
    pub region: &'a str,
    /// The key to sign with, and the session token to append.
    pub credentials: &'a Credentials,
    /// The moment of signing. AWS IoT Core accepts the signature for 5 minutes around it.
    pub time: SystemTime,
    /// `X-Amz-Expires`, in whole seconds: 1 second to 7 days. AWS IoT Core ignores the value.
    pub expires: Duration,
}

/// The path and query to send with GET, starting with `/mqtt?`.
///
/// The session token is appended after the signature and is no part of what is signed, as AWS IoT Core wants it.
/// The result is a secret: whoever has it can connect as these credentials' principal for 5 minutes.
///
/// # Errors
/// When the validity is out of its range, or host, region or key hold what cannot be signed.
pub fn presign(request: &SigningRequest<'_>) -> Result<String, Cause> {
    if request.expires.as_secs() == 0 || request.expires > MAX_EXPIRES {
        return Err(
            format!("a signature is valid for 1 s to 7 days, not {} s", request.expires.as_secs()).into()
        );
    }
    // The signer panics where a request has no host.
    if request.host_header.is_empty() || request.region.is_empty() {
        return Err("the host or the region is empty".into());
    }

    let identity = request.credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(request.region)
        .name(SERVICE)
        .time(request.time)
        .settings(settings(request.expires))
        .build()?
        .into();
    let signable = SignableRequest::new(
        "GET",
        format!("https://{}{WEBSOCKET_PATH}", request.host_header),
        [("host", request.host_header)].into_iter(),
        SignableBody::empty(),
    )?;
    let (instructions, _signature) = sign(signable, &params)?.into_parts();

    let mut target = http::Request::get(WEBSOCKET_PATH).body(())?;
    instructions.apply_to_request_http1x(&mut target);
    Ok(target.uri().to_string())
}

fn settings(expires: Duration) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    settings.signature_location = SignatureLocation::QueryParams;
    settings.session_token_mode = SessionTokenMode::Exclude;
    settings.expires_in = Some(expires);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_for(
        host_header: &str,
        region: &str,
        token: Option<&str>,
        expires: u64,
    ) -> Result<String, String> {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", token.map(ToOwned::to_owned), None, "test");
        presign(&SigningRequest {
            host_header,
            region,
            credentials: &credentials,
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160),
            expires: Duration::from_secs(expires),
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn the_token_comes_last_and_is_not_signed() {
        let without = sign_for("a.example", "us-east-1", None, 300).expect("signs");
        let with = sign_for("a.example", "us-east-1", Some("a+b/c= %"), 300).expect("signs");
        assert!(without.starts_with("/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"), "{without}");
        assert!(without.contains(
            "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiotdevicegateway%2Faws4_request&"
        ));
        assert!(without.contains("&X-Amz-SignedHeaders=host&"), "{without}");
        assert_eq!(with, format!("{without}&X-Amz-Security-Token=a%2Bb%2Fc%3D%20%25"));
    }

    #[test]
    fn the_host_is_signed() {
        let plain = sign_for("a.example", "us-east-1", None, 300);
        assert_ne!(plain, sign_for("a.example:8443", "us-east-1", None, 300));
        assert!(sign_for("[::1]:8443", "us-east-1", None, 300).is_ok());
    }

    #[test]
    fn refuses_what_cannot_be_signed() {
        assert!(sign_for("a.example", "us-east-1", None, 0).is_err());
        assert!(sign_for("a.example", "us-east-1", None, 7 * 86_400 + 1).is_err());
        assert!(sign_for("", "us-east-1", None, 300).is_err());
        assert!(sign_for("a b", "us-east-1", None, 300).is_err());
        assert!(sign_for("a.example", "", None, 300).is_err());
    }

    #[test]
    fn takes_any_host() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..2_000 {
            let host: String = (0..random.usize(..10)).map(|_| random.char(..)).collect();
            let ascii: String = (0..random.usize(..10)).map(|_| char::from(random.u8(..128))).collect();
            let _ = (sign_for(&host, "us-east-1", None, 300), sign_for(&ascii, &host, None, 300));
        }
    }
}
