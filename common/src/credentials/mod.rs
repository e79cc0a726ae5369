//! AWS credentials, wherever they come from.
//!
//! The AWS SDK finds most of them; what is called over HTTP (Cognito, STS, SSO, ECS, EC2 metadata, AWS IoT's own
//! provider) goes through this crate's own TCP, proxies and TLS, so that the same route holds for all connections.

mod caller;
mod chain;
mod cognito;
mod config_files;
mod environment;
mod examined;
mod hint;
mod login;
mod metadata;
mod part;
mod permanent;
mod process;
mod profile;
mod provider;
mod refusal;
mod sdk_failure;
mod sdk_http;
mod services;
mod settings;
mod source;
mod x509;

pub use self::caller::{CallerIdentity, CallerUnknown, CredentialFault};
pub use self::cognito::{CognitoId, CognitoIdentity, InvalidCognitoId};
pub use self::examined::ExaminedCredentials;
#[cfg(feature = "args")]
pub(crate) use self::part::check as check_part;
pub(crate) use self::provider::{Provider, Resolved};
pub use self::source::{CredentialSource, StaticCredentials};
pub use self::x509::{InvalidName, RoleAlias, ThingName, X509Credentials};
