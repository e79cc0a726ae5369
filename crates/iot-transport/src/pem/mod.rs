//! PEM files (RFC 7468): their sections, and the formats that users mistake for PEM.

mod foreign;
pub(crate) mod section;

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::Error;

pub(crate) use self::foreign::{Foreign, Wanted, secret};
use crate::asn1::first_value;
use crate::file;

/// OpenSSL's older label for a certificate.
const X509_CERTIFICATE: &str = "X509 CERTIFICATE";

/// OpenSSL's label for a certificate with trust settings behind it (`openssl x509 -trustout`).
pub(crate) const TRUSTED_CERTIFICATE: &str = "TRUSTED CERTIFICATE";

/// The use of a file's certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// They identify us: the trust settings of a `TRUSTED CERTIFICATE` do not matter.
    Own,
    /// They are trusted: such settings may forbid just that, and are not read here.
    Authorities,
}

/// The content of a file that should be PEM.
pub(crate) struct PemFile<'a> {
    pub(crate) path: &'a Path,
    content: Vec<u8>,
    /// Without byte order marks: of files that were joined, each may begin with one.
    pub(crate) text: String,
}

impl<'a> PemFile<'a> {
    pub(crate) fn new(path: &'a Path, content: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&file::decode(content.clone())).replace('\u{feff}', "");
        Self { path, content, text }
    }

    /// Looks for a section whose label ends with `label_end`.
    pub(crate) fn has(&self, label_end: &str) -> bool {
        section::all(&self.text).any(|section| section.label.ends_with(label_end))
    }

    /// Recognises another format.
    pub(crate) fn foreign_format(&self, wanted: Wanted) -> Option<Foreign> {
        foreign::format(&self.content, &self.text, self.path, wanted)
    }

    /// The certificates, in the file's order, under the labels that OpenSSL reads. An error's words follow the file's
    /// name.
    pub(crate) fn certificates(
        &self,
        purpose: Purpose,
    ) -> impl Iterator<Item = Result<CertificateDer<'static>, &'static str>> {
        let readable = section::all(&self.text).filter(move |section| match section.label {
            "CERTIFICATE" | X509_CERTIFICATE => true,
            TRUSTED_CERTIFICATE => purpose == Purpose::Own,
            _ => false,
        });
        readable.map(|section| {
            let content = section.content().map_err(|error| complaint(&error))?;
            Ok(match first_value(&content) {
                Some(certificate) if section.label == TRUSTED_CERTIFICATE => certificate.into(),
                _ => content.into(),
            })
        })
    }
}

/// The PEM reader's complaint without the bytes that it quotes: they may be part of a key.
pub(crate) fn complaint(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "is cut off or all on one line: its END line is missing",
        Error::IllegalSectionStart { .. } => {
            "has text behind its BEGIN line: each line of PEM must be a line of its own"
        }
        Error::Base64Decode(_) => "is damaged: what stands between BEGIN and END is not base64",
        _ => "is not valid PEM",
    }
}
