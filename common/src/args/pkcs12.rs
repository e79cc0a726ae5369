use std::path::PathBuf;

use clap::Args;
use iot_client::Auth;
use iot_transport::Identity;
use secrecy::SecretString;

use super::secret::Secret;
use crate::error::Error;

/// Mutual TLS with certificate and key from a PKCS#12 file.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "PKCS#12")]
pub struct Pkcs12Args {
    /// The PKCS#12 file (.p12, .pfx) with the private key, its certificate and any intermediates.
    #[arg(long, value_name = "FILE", alias = "pkcs12_file")]
    pub pkcs12_file: PathBuf,

    /// The file's password; '' for an empty one. It shows in process lists: prefer --pkcs12-password-file or the
    /// environment; on a terminal it is asked for. [env: AWS_IOT_PKCS12_PASSWORD]
    #[arg(long, value_name = "PASSWORD", alias = "pkcs12_password")]
    pub pkcs12_password: Option<SecretString>,

    /// A file that holds the password.
    #[arg(long, value_name = "FILE", alias = "pkcs12_password_file", conflicts_with = "pkcs12_password")]
    pub pkcs12_password_file: Option<PathBuf>,
}

const PASSWORD: Secret = Secret {
    what: "password of the PKCS#12 file",
    flag: "--pkcs12-password",
    variable: "AWS_IOT_PKCS12_PASSWORD",
};

impl Pkcs12Args {
    /// Reads the file, in memory, and asks for its password if none was given.
    ///
    /// # Errors
    ///
    /// [`iot_transport::Error::File`] or [`iot_transport::Error::Identity`], naming the file; [`Error::SecretMissing`] when no password was given.
    pub fn auth(&self) -> Result<Auth, Error> {
        let prompt = format!("Password of {}", self.pkcs12_file.display());
        let (value, file) = (self.pkcs12_password.as_ref(), self.pkcs12_password_file.as_deref());
        let password = PASSWORD.find_or_ask(value, file, &prompt)?;
        Ok(Auth::MutualTls(Identity::from_pkcs12_file(&self.pkcs12_file, &password)?))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Pkcs12Args,
    }

    #[test]
    fn the_password_is_hidden() {
        let cli = Cli::try_parse_from(["cli", "--pkcs12_file", "f", "--pkcs12_password", "hush"]).unwrap();
        assert!(!format!("{cli:?}").contains("hush"));
        assert_eq!(cli.args.pkcs12_password.unwrap().expose_secret(), "hush");
    }
}
