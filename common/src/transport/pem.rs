//! What is wrong with a file that should hold PEM (RFC 7468), in the user's terms.

use rustls::pki_types::pem::Error;

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

/// What a file holds that is not PEM at all, where it can be told.
pub(crate) fn foreign_format(content: &[u8]) -> Option<&'static str> {
    match content {
        [] => Some("is empty"),
        // An ASN.1 SEQUENCE with a long-form length (ITU-T X.690 §8.1.3.5): a certificate, a key or a PKCS#12 file.
        [0x30, 0x81..=0x84, ..] => Some("is in DER form, not PEM"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is UTF-16 text: save it as ASCII or UTF-8"),
        _ => None,
    }
}
