//! The samples' flags, in groups to `#[command(flatten)]`.
//!
//! The names that the official SDKs' samples use work too, in kebab and snake case, as hidden aliases: a command
//! pasted from their documentation runs.

mod cognito;
mod connection;
mod custom_auth;
mod device_or_iam;
mod error;
mod flag_names;
mod mutual_tls;
mod output;
mod patient_connection;
mod pkcs11;
mod pkcs12;
mod profile;
mod proxy;
mod publish;
mod region;
mod secret;
mod session;
mod shared;
mod sigv4;
mod static_keys;
mod topic;
mod values;
mod will;
mod windows_store;
mod x509_credentials;

pub use self::cognito::CognitoArgs;
pub use self::connection::ConnectionArgs;
pub use self::custom_auth::CustomAuthArgs;
pub use self::device_or_iam::DeviceOrIamArgs;
pub use self::error::{ArgsError, escaped, parse};
pub use self::flag_names::name_flags;
pub use self::mutual_tls::MutualTlsArgs;
pub use self::output::{OutputArgs, Verbosity};
pub use self::patient_connection::PatientConnectionArgs;
pub use self::pkcs11::{KeyId, Pkcs11Args, Pkcs11Settings};
pub use self::pkcs12::Pkcs12Args;
pub use self::profile::ProfileArgs;
pub use self::proxy::ProxyArgs;
pub use self::publish::{Payloads, PublishArgs};
pub use self::region::RegionArgs;
pub use self::session::{SessionArgs, SessionName, WhenFullName};
pub use self::shared::SharedArgs;
pub use self::sigv4::{SigV4Args, SourceName};
pub use self::static_keys::StaticArgs;
pub use self::topic::parse_echo_topic;
pub use self::will::WillArgs;
pub use self::windows_store::WindowsStoreArgs;
pub use self::x509_credentials::X509CredentialsArgs;
pub use crate::output::Output;
pub use crate::publisher::SharedGroup;

#[cfg(test)]
mod names_tests;
