use std::path::PathBuf;

use clap::Args;

use crate::error::Error;
use crate::transport::{Auth, Identity};

/// Mutual TLS with an X.509 client certificate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Mutual TLS")]
pub struct MutualTlsArgs {
    /// The client certificate, followed by any intermediates (PEM).
    #[arg(long, value_name = "FILE", aliases = ["cert-file", "cert_file"])]
    pub cert: PathBuf,

    /// The private key of that certificate (PEM: PKCS#8, PKCS#1 or SEC1).
    #[arg(long, value_name = "FILE", aliases = ["key-file", "key_file"])]
    pub key: PathBuf,
}

impl MutualTlsArgs {
    /// Reads certificate and key.
    ///
    /// # Errors
    ///
    /// [`Error::File`] or [`Error::Identity`], naming the file.
    pub fn auth(&self) -> Result<Auth, Error> {
        Ok(Auth::MutualTls(Identity::from_pem_files(&self.cert, &self.key)?))
    }
}
