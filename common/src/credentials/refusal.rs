//! A service's word for why it gives no credentials.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use iot_transport::HttpRefusal;
use iot_transport::text::one_line;

/// The service's own answer, if there was one; without `secrets`, which it may repeat.
pub(super) fn of<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
    secrets: &[&str],
) -> Option<HttpRefusal> {
    let SdkError::ServiceError(context) = error else { return None };
    let shown = |text: &str| without(text, secrets);
    let (code, message) = (context.err().code().map(shown), context.err().message().map(shown));
    Some(HttpRefusal::new(context.raw().status().as_u16(), code, message))
}

/// A service's text on one line, without the secrets that it was sent.
pub(super) fn without(text: &str, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    one_line(&secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "…")))
}
