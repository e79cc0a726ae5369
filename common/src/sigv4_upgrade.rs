use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use futures_util::future::BoxFuture;
use iot_client::{Auth, AuthKind, Error, Prepared, SignUpgrade};
use iot_transport::{Layer, Route, Timeline};

use crate::credentials::{CredentialSource, Provider, Resolved};
use crate::sigv4::{SigningRequest, presign};

/// How long a signature holds: what AWS IoT Core accepts, whatever the request says.
const SIGNATURE_EXPIRES: Duration = Duration::from_secs(5 * 60);

/// Signs the WebSocket upgrade of each connection with AWS credentials (Signature Version 4), which are resolved anew
/// for each connection unless they are known to last. An [`Auth`] is made `from` it.
#[derive(Debug)]
pub struct SigV4 {
    provider: Provider,
}

impl SigV4 {
    /// `region` is the signing region: the one in the endpoint's name.
    #[must_use]
    pub fn new(credentials: CredentialSource, region: impl Into<String>) -> Self {
        Self { provider: Provider::new(credentials, region.into()) }
    }

    /// The signer of `auth`, if it is one of this type.
    #[must_use]
    pub fn of(auth: &Auth) -> Option<&Self> {
        match auth {
            Auth::SignedWebSocket(signer) => (&**signer as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// The source of the credentials.
    #[must_use]
    pub fn credentials(&self) -> &CredentialSource {
        self.provider.source()
    }

    /// The signing region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.provider.region()
    }
}

impl From<SigV4> for Auth {
    fn from(signer: SigV4) -> Self {
        Auth::SignedWebSocket(Arc::new(signer))
    }
}

impl SignUpgrade for SigV4 {
    fn check(&self) -> Result<(), Error> {
        if self.region().is_empty() {
            return Err(Error::Settings("the signing region is empty".to_owned()));
        }
        match self.credentials() {
            CredentialSource::X509(provider) => Ok(provider.load_roots()?),
            _ => Ok(()),
        }
    }

    fn prepare<'a>(
        &'a self,
        route: &'a Route,
        timeline: &'a Timeline,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        Box::pin(async move {
            let step = timeline.step(Layer::Credentials);
            let resolved = self.provider.resolve(route).await?;
            step.done(self.provider.describe(&resolved));
            let credentials = resolved.credentials().clone();
            let region = self.region().to_owned();
            Ok(Prepared {
                kept: matches!(resolved, Resolved::Kept(_)),
                auth: signed_with(self.auth_kind(), &credentials),
                sign: Box::new(move |host_header| {
                    presign(&SigningRequest {
                        host_header,
                        region: &region,
                        credentials: &credentials,
                        time: SystemTime::now(),
                        expires: SIGNATURE_EXPIRES,
                    })
                }),
            })
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.provider.forget())
    }

    fn auth_kind(&self) -> AuthKind {
        AuthKind::Credentials { cognito_identity: self.provider.cognito_identity().map(ToString::to_string) }
    }
}

/// With the access key that signed the upgrade, where no session token went with it.
fn signed_with(kind: AuthKind, credentials: &Credentials) -> AuthKind {
    match (&kind, credentials.session_token()) {
        (AuthKind::Credentials { cognito_identity: None }, None) => {
            AuthKind::AccessKey { id: credentials.access_key_id().to_owned() }
        }
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use iot_transport::{Endpoint, Identity, Roots};

    use super::*;
    use crate::credentials::X509Credentials;

    #[test]
    fn settings_that_can_sign_nothing_are_refused_before_a_connection() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(Vec::new()).expect("a certificate");
        let (certificate, key) = (folder.path().join("cert"), folder.path().join("key"));
        std::fs::write(&certificate, made.cert.pem()).expect("writable");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("writable");
        let identity = Identity::from_pem_files(&certificate, &key).expect("an identity");
        let endpoint = Endpoint::parse("localhost").expect("a name");
        let provider = X509Credentials::new(endpoint, "role".parse().expect("an alias"), identity);
        let provider = provider.with_roots(Roots::from_file(folder.path().join("missing")));
        let error = SigV4::new(CredentialSource::X509(provider), "us-east-1").check().unwrap_err();
        assert!(matches!(error, Error::Transport(iot_transport::Error::File { .. })), "{error:?}");

        let error = SigV4::new(CredentialSource::Environment, "").check().unwrap_err();
        assert!(matches!(error, Error::Settings(_)), "{error:?}");
    }
}
