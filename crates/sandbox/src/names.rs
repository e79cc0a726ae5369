//! The names that the sandbox goes by.

/// The host name to connect to.
pub(crate) const ENDPOINT: &str = "localhost";
/// The one region there is.
pub(crate) const REGION: &str = "us-east-1";
/// The account number of AWS's own examples.
pub(crate) const ACCOUNT_ID: &str = "123456789012";
/// The role that all services but Cognito let assume.
pub(crate) const ROLE_NAME: &str = "sandbox-role";
