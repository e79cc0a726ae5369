//! Devices: a certificate with its key.

use std::path::PathBuf;

/// A device that can connect with its X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The name of its thing, and the common name of its certificate. Policies that speak of the connection's thing
    /// ask for it as the client ID.
    pub thing_name: String,
    /// The certificate, PEM.
    pub cert_file: PathBuf,
    /// The private key, PKCS#8 in PEM.
    pub key_file: PathBuf,
}
