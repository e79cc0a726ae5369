//! The AWS SDK's errors, reduced to what is known to be safe to show.
//!
//! Some of them hold the request, with the token in it, or the answer, with the credentials; their `Debug`, their
//! message and their causes alike. So nothing of the SDK's is shown unless it is listed here.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use aws_config::imds::client::error::{ImdsError, TokenError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use iot_transport::https::CallFailed;
use iot_transport::text::{links, one_line};
use iot_transport::{Cause, Error};

use super::refusal;

/// Sentences of the SDK that hold nothing but a service's word for the failure, by their beginning.
const SHOWN: [&str; 9] = [
    "Error retrieving credentials from IMDS: ",
    "IMDS disabled by ",
    "Incorrect IMDS/IAM configuration: ",
    "Non-success status from HTTP credential provider: ",
    "failed to load credentials [",
    "failed to load the cached SSO token",
    "received 404 from IMDS",
    "the SSO token has expired and cannot be refreshed",
    "the auth token could not be used as an HTTP header value",
];

/// Reasons that the SDK wraps in a sentence of its own.
const WITHIN: [&str; 2] =
    ["FIPS and custom endpoint are not supported", "Dualstack and custom endpoint are not supported"];

/// Sentences with the reason in parentheses, and then an address that may hold a secret.
const PARENTHESIZED: [&str; 2] =
    ["invalid full URI for ECS provider (", "invalid relative URI for ECS provider ("];

const UNKNOWN: &str =
    "the AWS SDK gives a reason that is not shown, because it may hold what was sent or received";

/// The answer that refuses a call, or else the reason why there is none. `secrets` are those of the call, which the
/// answer may repeat.
pub(super) fn of_call<E>(error: SdkError<E, HttpResponse>, secrets: &[&str]) -> Cause
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if let Some(refusal) = refusal::of(&error, secrets) {
        return refusal.into();
    }
    match &error {
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            format!("an answer that the service does not give (HTTP {status}): is this its endpoint?").into()
        }
        SdkError::TimeoutError(_) => "the service did not answer in time".into(),
        _ => of(error),
    }
}

/// The part of an error and its causes that is known to be safe.
pub(super) fn of(error: impl Into<Cause>) -> Cause {
    let error = error.into();
    let depth = links(&*error).position(is_ours);
    if let Some(depth) = depth {
        return Below { error, depth }.into();
    }
    let answer = |link: &(dyn StdError + 'static)| match link.downcast_ref() {
        Some(ImdsError::ErrorResponse(answer)) => {
            Some(format!("HTTP {}", answer.response().status().as_u16()))
        }
        _ => link.downcast_ref().map(TokenError::to_string),
    };
    let shown = links(&*error).find_map(|link| answer(link).or_else(|| sentence(&link.to_string())));
    shown.unwrap_or_else(|| UNKNOWN.to_owned()).into()
}

/// The last of the causes, as one that ends a list.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    links(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Returns whether an error, with all of its causes, is of this crate's transport or of the operating system.
fn is_ours(error: &(dyn StdError + 'static)) -> bool {
    error.is::<Error>()
        || error.is::<CallFailed>()
        || error.is::<io::Error>()
        || error.is::<rustls::Error>()
        || error.is::<hyper::Error>()
}

fn sentence(text: &str) -> Option<String> {
    if PARENTHESIZED.iter().any(|known| text.starts_with(known)) {
        return text.split_once("): ").map(|(reason, _)| format!("{reason})"));
    }
    let within = WITHIN.into_iter().find(|known| text.contains(known)).map(ToOwned::to_owned);
    within
        .or_else(|| SHOWN.into_iter().any(|known| text.starts_with(known)).then(|| one_line(text.trim_end())))
}

/// An error that is safe, below some of the SDK's.
struct Below {
    error: Cause,
    depth: usize,
}

impl Below {
    fn safe(&self) -> Option<&(dyn StdError + 'static)> {
        links(&*self.error).nth(self.depth)
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call failed")
    }
}

impl fmt::Debug for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Below").field(&self.safe()).finish()
    }
}

impl StdError for Below {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.safe()
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;
    use iot_transport as transport;
    use iot_transport::text::Chain;

    use super::*;

    /// The message with its causes, and what `{:?}` shows.
    fn shown(cause: &Cause) -> (String, String) {
        (Chain(&**cause).to_string(), format!("{cause:?} {cause:#?}"))
    }

    fn answer(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().expect("a status"), SdkBody::from("hush"))
    }

    #[derive(Debug, thiserror::Error)]
    #[error("refused")]
    struct Refused(ErrorMetadata);

    impl ProvideErrorMetadata for Refused {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    type Call = SdkError<Refused, HttpResponse>;

    #[test]
    fn texts_of_the_sdk_are_not_shown() {
        let held = "request HttpRequest { body: WebIdentityToken=hush }";
        for cause in [
            of_call(Call::construction_failure(held), &[]),
            of_call(Call::response_error(held, answer(200)), &[]),
            of_call(Call::timeout_error(held), &[]),
            of_call(Call::dispatch_failure(ConnectorError::other(held.into(), None)), &[]),
            of(CredentialsError::provider_error(Call::construction_failure(held))),
            of(CredentialsError::unhandled(held)),
            of(CredentialsError::invalid_configuration(held)),
        ] {
            let (text, debug) = shown(&cause);
            assert!(!text.contains("hush") && !debug.contains("hush"), "{text} {debug}");
            assert!(!text.is_empty());
        }
    }

    #[test]
    fn an_address_is_not_shown() {
        let refused =
            "invalid full URI for ECS provider (URI did not refer to an allowed IP address): http://a/hush";
        let (text, _) = shown(&of(CredentialsError::invalid_configuration(refused)));
        assert_eq!(text, "invalid full URI for ECS provider (URI did not refer to an allowed IP address)");
    }

    #[test]
    fn a_refusal_is_shown_by_its_code_and_its_message_on_one_line() {
        let refused = ErrorMetadata::builder().code("AccessDenied").message("Not\nauthorized").build();
        let cause = of_call(Call::service_error(Refused(refused), answer(403)), &[]);
        let (text, debug) = shown(&cause);
        assert_eq!(text, "HTTP 403 AccessDenied: Not\\nauthorized");
        assert!(!debug.contains("hush"), "{debug}");
    }

    #[test]
    fn a_refusal_does_not_show_the_secrets_that_it_repeats() {
        let refused = ErrorMetadata::builder().code("No quiet").message("hu\nsh, quiet and hu\nsh").build();
        let cause = of_call(Call::service_error(Refused(refused), answer(403)), &["hu\nsh", "quiet", ""]);
        let (text, debug) = shown(&cause);
        assert_eq!(text, "HTTP 403 No …: …, … and …");
        assert!(!debug.contains("sh,") && !debug.contains("quiet"), "{debug}");
    }

    #[test]
    fn the_error_of_this_crates_transport_is_shown_from_below_the_sdks() {
        let refused = transport::Error::Tcp {
            target: "a.example:443".to_owned(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let call = Call::dispatch_failure(ConnectorError::io(refused.into()));
        let cause = of(CredentialsError::provider_error(call));
        let (text, _) = shown(&cause);
        assert_eq!(
            text,
            "the call failed: cannot open a TCP connection to a.example:443: connection refused"
        );
        assert!(links(&*cause).any(|link| link.is::<Error>()), "its hint can be found");
    }
}
