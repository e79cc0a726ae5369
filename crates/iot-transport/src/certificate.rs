//! What an X.509 certificate says of itself, for people to look at.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;

use crate::text::one_line;
use crate::x509;

/// A certificate, as it is: whether anyone should believe it was, or will be, decided elsewhere. Its texts hold no
/// control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The distinguished name of its holder.
    pub subject: String,
    /// The distinguished name of the CA that signed it.
    pub issuer: String,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// Kind and length of its public key, such as "RSA 2048" or "EC 256".
    pub key: String,
    /// The begin of its validity.
    pub not_before: SystemTime,
    /// The end of its validity.
    pub not_after: SystemTime,
    /// SHA-256 of its bytes, in hexadecimal digits: of a device's certificate this is the ID that AWS IoT Core has
    /// for it (<https://docs.aws.amazon.com/iot/latest/apireference/API_CertificateDescription.html>).
    pub fingerprint: String,
}

impl Certificate {
    /// Reads a certificate; `None` of what is none, or whose dates are outside what a clock can show.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let certificate = x509::parse(der)?;
        Some(Self {
            subject: one_line(&certificate.subject().to_string()),
            issuer: one_line(&certificate.issuer().to_string()),
            names: names(&certificate),
            key: key(&certificate),
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
            fingerprint: hex::encode(digest::digest(&digest::SHA256, der)),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(one_line(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    names.collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        _ => "of another kind".to_owned(),
    }
}

fn time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    match time.timestamp() {
        0.. => UNIX_EPOCH.checked_add(seconds),
        _ => UNIX_EPOCH.checked_sub(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_key_and_validity() {
        let names = ["a.example".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names.clone()).expect("a certificate");
        let certificate = Certificate::from_der(made.cert.der()).expect("reads");
        assert_eq!(certificate.names, names);
        assert_eq!(certificate.subject, certificate.issuer);
        assert_eq!(certificate.key, "EC 256");
        assert!(certificate.not_before < certificate.not_after);
        assert_eq!(certificate.fingerprint.len(), 64);
        assert_eq!(Certificate::from_der(b"none"), None);
    }
}
