//! Devices: a certificate with its key.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A device that can connect with its X.509 certificate.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Device {
    /// The name of its thing, and the common name of its certificate. Policies that speak of the connection's thing
    /// ask for it as the client ID.
    pub thing_name: String,
    /// The certificate, PEM.
    pub cert_file: PathBuf,
    /// The private key, PKCS#8 in PEM.
    pub key_file: PathBuf,
    /// Certificate and key in one, PKCS#12.
    pub pkcs12_file: PathBuf,
    /// What the PKCS#12 file is encrypted with.
    pub pkcs12_password: String,
}

impl fmt::Debug for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Device")
            .field("thing_name", &self.thing_name)
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .field("pkcs12_file", &self.pkcs12_file)
            .finish_non_exhaustive()
    }
}
