use std::time::SystemTime;

use aws_credential_types::Credentials;
use iot_client::Error;
use iot_transport::Route;
use iot_transport::timeline::Detail;

use super::{CredentialSource, Provider};

/// What a source gives for AWS credentials. Its `Debug` hides the secret key and the token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExaminedCredentials {
    /// Where they come from; of a chain, the link that had them.
    pub source: String,
    /// The access key ID. It names the credentials and proves nothing.
    pub access_key_id: String,
    /// Whether a session token goes with them.
    pub are_temporary: bool,
    /// When they expire, where the source says so: the environment, for one, never does.
    pub expires: Option<SystemTime>,
    /// The Cognito identity, where it is one's.
    pub cognito_identity: Option<String>,
    /// To ask AWS whose they are.
    pub(super) credentials: Credentials,
}

impl CredentialSource {
    /// Asks this source for credentials, over `route` where it takes a call, and says what they are. `region` is the
    /// one that STS is asked in.
    ///
    /// # Errors
    /// [`iot_client::Error::Credentials`], or [`iot_transport::Error::File`] for a configuration file that was named but cannot be read.
    pub async fn examine(&self, region: &str, route: &Route) -> Result<ExaminedCredentials, Error> {
        let provider = Provider::new(self.clone(), region.to_owned());
        let resolved = provider.resolve(route).await?;
        let source = match provider.describe(&resolved) {
            Detail::Credentials { source, .. } => source,
            other => other.to_string(),
        };
        let credentials = resolved.credentials();
        Ok(ExaminedCredentials {
            source,
            access_key_id: credentials.access_key_id().to_owned(),
            are_temporary: credentials.session_token().is_some(),
            expires: credentials.expiry(),
            cognito_identity: provider.cognito_identity().map(ToString::to_string),
            credentials: credentials.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use iot_transport::Roots;

    use super::*;
    use crate::credentials::StaticCredentials;

    #[tokio::test]
    async fn its_debug_form_hides_the_credentials() {
        let given = StaticCredentials::new("AKIAEXAMPLE", "hush", Some("quiet".into()));
        let source = CredentialSource::Static(given);
        let examined = source.examine("us-east-1", &Roots::system().into()).await.unwrap();
        let shown = format!("{examined:?}");
        assert!(shown.contains("AKIAEXAMPLE"), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("quiet"), "{shown}");
    }
}
