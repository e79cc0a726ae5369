//! The certificate and its chain.

use rustls::pki_types::CertificateDer;
use rustls::sign::SigningKey;

use super::problem::{CERTIFICATE, problem};
use crate::error::Error;
use crate::pem::{Foreign, PemFile, Purpose, Wanted};
use crate::x509::{has_key, upwards};

/// Chains have three or four. Each certificate may cost a signature of the token that holds the key.
const MAX_CERTIFICATES: usize = 10;

/// All certificates of a PEM file, in the file's order.
///
/// # Errors
/// [`Error::Identity`], saying what the file holds instead.
pub(super) fn parse(file: &PemFile<'_>) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refuse = |what_is_wrong: &str, hint: Option<&str>| {
        problem(
            format!("the {CERTIFICATE} {} {what_is_wrong}", file.path.display()),
            hint.map(ToOwned::to_owned),
            None,
        )
    };
    let complaint = match file.certificates(Purpose::Own).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if chain.len() > MAX_CERTIFICATES => {
            return Err(refuse(
                &format!("holds {} certificates, more than {MAX_CERTIFICATES}", chain.len()),
                Some("it must hold the device's certificate and its issuers: is it a bundle of CAs?"),
            ));
        }
        Ok(chain) if !chain.is_empty() => return Ok(chain),
        outcome => outcome.err(),
    };
    Err(match (file.foreign_format(Wanted::Certificate), complaint) {
        (Some(Foreign { is, hint }), _) => refuse(is, hint.as_deref()),
        (None, Some(complaint)) => refuse(complaint, None),
        _ if file.has("CERTIFICATE REQUEST") => refuse(
            "holds a certificate request, not a certificate",
            Some("AWS IoT signs the request: use its answer"),
        ),
        _ if file.has("PRIVATE KEY") => refuse("holds a private key, not a certificate", None),
        _ => refuse("holds no certificate", Some("it must hold a -----BEGIN CERTIFICATE----- section")),
    })
}

/// The chain for this key. Where another certificate than the first is the key's, it goes first and its issuers follow;
/// where none is, the file's order stays.
pub(super) fn led_by(
    key: &dyn SigningKey,
    certificates: Vec<CertificateDer<'static>>,
) -> Vec<CertificateDer<'static>> {
    let Some(own) = key.public_key() else { return certificates };
    match certificates.iter().position(|certificate| has_key(certificate, &own)) {
        None | Some(0) => certificates,
        Some(leaf) => {
            log::debug!("the private key belongs to certificate {} of the file: it is sent first", leaf + 1);
            upwards(&certificates, leaf)
        }
    }
}
