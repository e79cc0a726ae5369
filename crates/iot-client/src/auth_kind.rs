/// How a refused client had authenticated, and as whom where that is known: what there is to check follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthKind {
    /// With an X.509 client certificate.
    Certificate,
    /// With AWS credentials that signed the WebSocket upgrade.
    Credentials {
        /// The identity ID, where a Cognito identity pool issued the credentials.
        cognito_identity: Option<String>,
    },
    /// With an AWS access key alone: it is a permanent one, or its session token is missing.
    AccessKey {
        /// The access key ID.
        id: String,
    },
    /// With the user name and password, or token, that a custom authorizer looks at.
    CustomAuthorizer {
        /// The authorizer's name; `None` is the account's default authorizer.
        name: Option<String>,
    },
}
