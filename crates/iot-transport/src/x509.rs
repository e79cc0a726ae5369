//! X.509 certificates (RFC 5280) as DER: whose key they have, and who signed whom.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;

/// Reads a certificate, of version 1 too, which rustls does not.
pub(crate) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    parse_x509_certificate(der).ok().map(|(_, certificate)| certificate)
}

/// Compares the certificate's public key with this one (a SubjectPublicKeyInfo).
pub(crate) fn has_key(certificate: &[u8], public_key: &[u8]) -> bool {
    parse(certificate).is_some_and(|certificate| certificate.public_key().raw == public_key)
}

/// A certificate and its issuers, each followed by its own.
///
/// TLS wants this order (RFC 5246 §7.4.2). A root stays in: just-in-time provisioning asks for the CA's certificate
/// beside the device's (<https://docs.aws.amazon.com/iot/latest/developerguide/jit-provisioning.html>).
pub(crate) fn upwards(certificates: &[CertificateDer<'static>], leaf: usize) -> Vec<CertificateDer<'static>> {
    let parsed: Vec<_> = certificates.iter().map(|certificate| parse(certificate)).collect();
    let mut order = vec![leaf];
    while let Some(Some(last)) = order.last().map(|&last| &parsed[last]) {
        let next = (0..certificates.len()).find(|&at| {
            let is_issuer = |other: &X509Certificate<'_>| other.subject().as_raw() == last.issuer().as_raw();
            parsed[at].as_ref().is_some_and(is_issuer)
                && !order.iter().any(|&earlier| certificates[earlier] == certificates[at])
        });
        let Some(next) = next else { break };
        order.push(next);
    }
    order.into_iter().map(|at| certificates[at].clone()).collect()
}
