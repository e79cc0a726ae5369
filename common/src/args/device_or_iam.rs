use std::path::PathBuf;

use clap::Args;
use iot_client::Auth;
use iot_transport::Endpoint;
use secrecy::SecretString;

use super::SigV4Args;
use super::error::{ArgsError, first_given, usage};
use super::mutual_tls::{KEY_PASSWORD, pem_identity};

/// Mutual TLS as a device, or with `--websocket` a signature with AWS credentials.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Mutual TLS")]
pub struct DeviceOrIamArgs {
    /// Connect over WebSocket, signed with AWS credentials (SigV4), instead of mutual TLS; needs --region.
    #[arg(long, help_heading = "Signature")]
    pub websocket: bool,

    /// The client certificate, followed by any intermediates (PEM). --websocket takes no notice of it.
    #[arg(long, value_name = "FILE", aliases = ["cert-file", "cert_file"], required_unless_present = "websocket")]
    pub cert: Option<PathBuf>,

    /// The private key of that certificate (PEM: PKCS#8, PKCS#1 or SEC1), encrypted or not.
    #[arg(long, value_name = "FILE", aliases = ["key-file", "key_file"], required_unless_present = "websocket")]
    pub key: Option<PathBuf>,

    /// The password of an encrypted private key. It shows in process lists: prefer --key-password-file or the
    /// environment; on a terminal it is asked for. [env: AWS_IOT_KEY_PASSWORD]
    #[arg(long, value_name = "PASSWORD", alias = "key_password")]
    pub key_password: Option<SecretString>,

    /// A file that holds the password of an encrypted private key.
    #[arg(long, value_name = "FILE", alias = "key_password_file", conflicts_with = "key_password")]
    pub key_password_file: Option<PathBuf>,

    /// For --websocket.
    #[command(flatten)]
    pub sigv4: SigV4Args,
}

impl DeviceOrIamArgs {
    /// The way to authenticate that the flags describe. Those of a certificate are ignored with `--websocket`, as the
    /// C++ sample `mqtt5_socks5_app` does, and the log warns of it.
    ///
    /// # Errors
    ///
    /// Flags that do not fit together, or files that cannot be used.
    pub fn auth(&self, endpoint: &Endpoint) -> Result<Auth, ArgsError> {
        if self.websocket {
            if let Some(flag) = self.first_of_certificate() {
                log::warn!(
                    "{flag} is ignored: with --websocket AWS credentials authenticate, not a certificate"
                );
            }
            if self.sigv4.region.region.is_none() {
                return Err(usage("--websocket needs --region").into());
            }
            return self.sigv4.auth(endpoint);
        }
        if let Some(flag) = self.sigv4.first_given() {
            return Err(usage(format!("{flag} means nothing without --websocket")).into());
        }
        let (Some(certificate), Some(key)) = (&self.cert, &self.key) else {
            return Err(usage("--cert and --key are needed, or --websocket").into());
        };
        let (value, file) = (self.key_password.as_ref(), self.key_password_file.as_deref());
        Ok(Auth::MutualTls(pem_identity(certificate, key, &KEY_PASSWORD, value, file)?))
    }

    fn first_of_certificate(&self) -> Option<&'static str> {
        first_given(&[
            ("--cert", self.cert.is_some()),
            ("--key", self.key.is_some()),
            ("--key-password", self.key_password.is_some()),
            ("--key-password-file", self.key_password_file.is_some()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        auth: DeviceOrIamArgs,
    }

    /// The kind of authentication that the flags choose, or what is wrong with them.
    fn chosen(flags: &[&str]) -> Result<&'static str, String> {
        let cli = Cli::try_parse_from([&["cli"], flags].concat()).map_err(|error| error.to_string())?;
        match cli.auth.auth(&Endpoint::parse("localhost").unwrap()) {
            Ok(Auth::SignedWebSocket(_)) => Ok("SigV4"),
            Ok(other) => Err(format!("{other:?}")),
            Err(ArgsError::Failed(error)) => Err(format!("failed: {error}")),
            Err(ArgsError::Usage(error)) => Err(error.to_string()),
        }
    }

    #[test]
    fn websocket_decides() {
        let region = ["--websocket", "--region", "us-east-1"];
        assert_eq!(chosen(&region), Ok("SigV4"));
        // Not even half a certificate is looked at.
        assert_eq!(chosen(&[&region[..], &["--key", "/nowhere"]].concat()), Ok("SigV4"));
        for (flags, words) in [
            (&["--websocket"][..], "--websocket needs --region"),
            (&[], "--cert <FILE>"),
            (&["--cert", "c"], "--key <FILE>"),
            (&["--cert", "/nowhere", "--key", "k"], "failed: cannot read the client certificate /nowhere"),
            (&["--cert", "c", "--key", "k", "--profile", "p"], "--profile means nothing without --websocket"),
            (&["--cert", "c", "--key", "k", "--region", "r"], "--region means nothing without --websocket"),
        ] {
            let error = chosen(flags).unwrap_err();
            assert!(error.contains(words), "{flags:?}: {error}");
        }
    }
}
