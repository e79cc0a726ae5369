use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;

use crate::error::Cause;

/// An error of the AWS SDK. Its `Debug` is its message and causes: the SDK's own shows the whole answer where one was
/// not understood, and with it the credentials.
pub(crate) struct SdkFailure(Cause);

impl SdkFailure {
    pub(crate) fn new(error: impl Into<Cause>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for SdkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SdkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own: &(dyn StdError + 'static) = &*self.0;
        let chain = successors(Some(own), |&error: &&(dyn StdError + 'static)| error.source());
        f.debug_list().entries(chain.map(ToString::to_string)).finish()
    }
}

impl StdError for SdkFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::result::SdkError;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn an_answer_is_not_shown() {
        let answer = HttpResponse::new(200.try_into().expect("a status"), SdkBody::from("hush"));
        let error: SdkError<std::io::Error, HttpResponse> = SdkError::response_error("not JSON", answer);
        assert!(format!("{error:?}").contains("hush"), "the SDK shows it");
        let shown = format!("{:?}", SdkFailure::new(error));
        assert!(shown.contains("not JSON") && !shown.contains("hush"), "{shown}");
    }
}
