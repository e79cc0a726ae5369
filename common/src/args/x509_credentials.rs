use std::path::PathBuf;

use clap::Args;
use iot_client::Auth;
use iot_transport::{Endpoint, Roots};
use secrecy::SecretString;

use super::RegionArgs;
use super::error::{ArgsError, first_given, usage};
use super::mutual_tls::pem_identity;
use super::secret::Secret;
use crate::credentials::{CredentialSource, RoleAlias, ThingName, X509Credentials};

const KEY_PASSWORD: Secret = Secret {
    what: "password of the private key",
    flag: "--x509-key-password",
    variable: "AWS_IOT_KEY_PASSWORD",
};

/// AWS IoT's credentials provider, which takes a client certificate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "IoT credentials provider")]
pub struct X509CredentialsArgs {
    /// The credentials provider's endpoint, with its port if that is not 443:
    /// `aws iot describe-endpoint --endpoint-type iot:CredentialProvider` prints it.
    #[arg(long, value_name = "HOST[:PORT]", alias = "x509_endpoint", value_parser = Endpoint::parse_with_port)]
    pub x509_endpoint: Option<Endpoint>,

    /// The role alias, which names the role whose credentials are given.
    #[arg(long, value_name = "NAME", alias = "x509_role_alias")]
    pub x509_role_alias: Option<RoleAlias>,

    /// The thing that the certificate is attached to, for policies with variables of a thing.
    #[arg(long, value_name = "NAME", alias = "x509_thing_name")]
    pub x509_thing_name: Option<ThingName>,

    /// The client certificate for the credentials provider, followed by any intermediates (PEM).
    #[arg(long, value_name = "FILE", alias = "x509_cert")]
    pub x509_cert: Option<PathBuf>,

    /// The private key of that certificate (PEM: PKCS#8, PKCS#1 or SEC1), encrypted or not.
    #[arg(long, value_name = "FILE", alias = "x509_key")]
    pub x509_key: Option<PathBuf>,

    /// The password of an encrypted private key. It shows in process lists: prefer --x509-key-password-file or the
    /// environment; on a terminal it is asked for. [env: AWS_IOT_KEY_PASSWORD]
    #[arg(long, value_name = "PASSWORD", alias = "x509_key_password")]
    pub x509_key_password: Option<SecretString>,

    /// A file that holds the password of an encrypted private key.
    #[arg(long, value_name = "FILE", alias = "x509_key_password_file", conflicts_with = "x509_key_password")]
    pub x509_key_password_file: Option<PathBuf>,

    /// The CA certificates to trust the credentials provider by, instead of the broker's (PEM).
    #[arg(long, value_name = "FILE", alias = "x509_ca_file")]
    pub x509_ca_file: Option<PathBuf>,
}

impl X509CredentialsArgs {
    /// WebSocket, signed with the credentials that the provider gives.
    ///
    /// # Errors
    ///
    /// Wrong usage, or [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`] for
    /// certificate and key.
    pub fn auth(&self, region: &RegionArgs, endpoint: &Endpoint) -> Result<Auth, ArgsError> {
        Ok(region.sign_with(self.source()?, endpoint)?)
    }

    pub(super) fn first_given(&self) -> Option<&'static str> {
        first_given(&[
            ("--x509-endpoint", self.x509_endpoint.is_some()),
            ("--x509-role-alias", self.x509_role_alias.is_some()),
            ("--x509-thing-name", self.x509_thing_name.is_some()),
            ("--x509-cert", self.x509_cert.is_some()),
            ("--x509-key", self.x509_key.is_some()),
            ("--x509-key-password", self.x509_key_password.is_some()),
            ("--x509-key-password-file", self.x509_key_password_file.is_some()),
            ("--x509-ca-file", self.x509_ca_file.is_some()),
        ])
    }

    pub(super) fn source(&self) -> Result<CredentialSource, ArgsError> {
        let endpoint = needed("--x509-endpoint", self.x509_endpoint.as_ref())?;
        let role_alias = needed("--x509-role-alias", self.x509_role_alias.as_ref())?;
        let certificate = needed("--x509-cert", self.x509_cert.as_ref())?;
        let key = needed("--x509-key", self.x509_key.as_ref())?;

        let (value, file) = (self.x509_key_password.as_ref(), self.x509_key_password_file.as_deref());
        let identity = pem_identity(certificate, key, &KEY_PASSWORD, value, file)?;
        let mut provider = X509Credentials::new(endpoint.clone(), role_alias.clone(), identity);
        if let Some(thing_name) = &self.x509_thing_name {
            provider = provider.with_thing_name(thing_name.clone());
        }
        if let Some(file) = &self.x509_ca_file {
            provider = provider.with_roots(Roots::from_file(file));
        }
        Ok(CredentialSource::X509(provider))
    }
}

fn needed<'a, T>(flag: &str, value: Option<&'a T>) -> Result<&'a T, clap::Error> {
    value.ok_or_else(|| {
        usage(format!(
            "{flag} is needed: the credentials provider takes --x509-endpoint, --x509-role-alias, --x509-cert and \
             --x509-key"
        ))
    })
}
