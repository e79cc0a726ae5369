//! The certificate and its chain, from PEM.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{CERTIFICATE, problem, section};
use crate::error::Error;
use crate::transport::pem;

/// All certificates of a PEM file, in the file's order.
///
/// # Errors
/// [`Error::Identity`], saying what the file holds instead.
pub(super) fn parse(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refuse = |what_is_wrong: &str, hint: Option<&str>| {
        problem(
            format!("the {CERTIFICATE} {} {what_is_wrong}", path.display()),
            hint.map(ToOwned::to_owned),
            None,
        )
    };
    // In a file that holds both, a key may have headers, which the reader takes for base64.
    let certificates = section::without(&String::from_utf8_lossy(pem), "PRIVATE KEY-----");
    let chain = CertificateDer::pem_slice_iter(certificates.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refuse(pem::complaint(&error), None))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(match pem::foreign_format(pem) {
        Some(format) if format.contains("DER") => refuse(
            format,
            Some(&format!("convert it: openssl x509 -inform DER -in {0} -out {0}.pem", path.display())),
        ),
        Some(format) => refuse(format, None),
        None if section::exists(pem, "CERTIFICATE REQUEST-----") => refuse(
            "holds a certificate request, not a certificate",
            Some("AWS IoT signs the request: use its answer"),
        ),
        None if section::exists(pem, "PRIVATE KEY-----") => {
            refuse("holds a private key, not a certificate", None)
        }
        None => refuse("holds no certificate", Some("it must hold a -----BEGIN CERTIFICATE----- section")),
    })
}
