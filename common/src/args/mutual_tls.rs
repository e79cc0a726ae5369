use std::cell::Cell;
use std::path::{Path, PathBuf};

use clap::Args;
use iot_client::Auth;
use iot_transport::Identity;
use secrecy::SecretString;

use super::secret::Secret;
use crate::error::Error;

/// Mutual TLS with an X.509 client certificate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Mutual TLS")]
pub struct MutualTlsArgs {
    /// The client certificate, followed by any intermediates (PEM).
    #[arg(long, value_name = "FILE", aliases = ["cert-file", "cert_file"])]
    pub cert: PathBuf,

    /// The private key of that certificate (PEM: PKCS#8, PKCS#1 or SEC1), encrypted or not.
    #[arg(long, value_name = "FILE", aliases = ["key-file", "key_file"])]
    pub key: PathBuf,

    /// The password of an encrypted private key. It shows in process lists: prefer --key-password-file or the
    /// environment; on a terminal it is asked for. [env: AWS_IOT_KEY_PASSWORD]
    #[arg(long, value_name = "PASSWORD", alias = "key_password")]
    pub key_password: Option<SecretString>,

    /// A file that holds the password of an encrypted private key.
    #[arg(long, value_name = "FILE", alias = "key_password_file", conflicts_with = "key_password")]
    pub key_password_file: Option<PathBuf>,
}

pub(super) const KEY_PASSWORD: Secret =
    Secret { what: "password of the private key", flag: "--key-password", variable: "AWS_IOT_KEY_PASSWORD" };

impl MutualTlsArgs {
    /// Reads certificate and key, and asks for the key's password if there is need for one.
    ///
    /// # Errors
    ///
    /// [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`], naming the file; [`Error::SecretMissing`] when the key is encrypted and
    /// no password was given.
    pub fn auth(&self) -> Result<Auth, Error> {
        let (value, file) = (self.key_password.as_ref(), self.key_password_file.as_deref());
        Ok(Auth::MutualTls(pem_identity(&self.cert, &self.key, &KEY_PASSWORD, value, file)?))
    }
}

/// Reads certificate and key; `value` and `file` are the two flags' of `password`, which an encrypted key needs.
///
/// # Errors
/// As [`MutualTlsArgs::auth`].
pub(super) fn pem_identity(
    certificate: &Path,
    key: &Path,
    password: &Secret,
    value: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Identity, Error> {
    let encrypted = Cell::new(false);
    let identity = Identity::from_encrypted_pem_files(certificate, key, || {
        encrypted.set(true);
        Ok(password.find_or_ask(value, file, &format!("Password of {}", key.display()))?)
    })?;
    if !encrypted.get() && !matches!(password.find(value, file), Ok(None)) {
        log::warn!("the private key {} is not encrypted: its password was not used", key.display());
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: MutualTlsArgs,
    }

    #[test]
    fn the_password_is_hidden() {
        let cli =
            Cli::try_parse_from(["cli", "--cert", "c", "--key", "k", "--key-password", "hush"]).unwrap();
        assert!(!format!("{cli:?}").contains("hush"));
        assert_eq!(cli.args.key_password.unwrap().expose_secret(), "hush");
    }
}
