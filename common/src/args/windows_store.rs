use clap::Args;
use iot_client::Auth;
use iot_transport::{Identity, StorePath};

use crate::error::Error;

/// Mutual TLS with a certificate from the certificate store of Windows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Windows certificate store")]
pub struct WindowsStoreArgs {
    /// The certificate in the store: CurrentUser\MY\THUMBPRINT or LocalMachine\MY\THUMBPRINT.
    #[arg(long, value_name = "PATH", aliases = ["cert_store", "cert"], value_parser = StorePath::parse)]
    cert_store: StorePath,
}

impl WindowsStoreArgs {
    /// Finds the certificate and its key.
    ///
    /// # Errors
    ///
    /// [`iot_transport::Error::Identity`], naming the certificate; on any other system than Windows, always.
    pub fn auth(&self) -> Result<Auth, Error> {
        Ok(Auth::MutualTls(Identity::from_store_path(&self.cert_store)?))
    }
}
