//! Sections of PEM files with the headers of RFC 1421 §4.4, which the TLS library's reader does not know.

use std::iter;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::*;
use rustls::pki_types::pem::Error;

/// The lines between BEGIN and END.
pub(crate) struct Section<'a> {
    /// `RSA PRIVATE KEY` and the like.
    pub(crate) label: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    base64: String,
    /// BEGIN is a line of its own; a section on one line lacks its END line only.
    begins: bool,
    ended: bool,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// OpenSSL takes base64 without its padding, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The sections of a file, in its order.
pub(crate) fn all(pem: &str) -> impl Iterator<Item = Section<'_>> {
    let mut lines = pem.split(['\n', '\r']).peekable();
    iter::from_fn(move || {
        let begin = lines.by_ref().find_map(|line| line.strip_prefix(BEGIN))?;
        let (label, behind) = begin.split_once(DASHES).unwrap_or((begin, begin));
        let mut section = Section {
            label: label.trim_end(),
            headers: Vec::new(),
            base64: String::new(),
            begins: behind.trim().is_empty() || behind.contains(END),
            ended: false,
        };
        while let Some(line) = lines.next_if(|line| !line.starts_with(DASHES)) {
            // Headers stand before the content, and base64 has no colon.
            match line.split_once(':').filter(|_| section.base64.is_empty()) {
                Some((name, value)) => section.headers.push((name.trim(), value.trim())),
                None => section.base64.extend(line.split_whitespace()),
            }
        }
        let label = section.label;
        let ends = |line: &str| {
            let end = line.strip_prefix(END).and_then(|end| end.split_once(DASHES));
            end.is_some_and(|(end, _)| end.trim_end() == label)
        };
        section.ended = lines.next_if(|line| ends(line)).is_some();
        Some(section)
    })
}

impl<'a> Section<'a> {
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The decoded content.
    ///
    /// # Errors
    /// As the TLS library's reader, but without the bytes.
    pub(crate) fn content(&self) -> Result<Vec<u8>, Error> {
        if !self.begins {
            return Err(Error::IllegalSectionStart { line: Vec::new() });
        }
        if !self.ended {
            return Err(Error::MissingSectionEnd { end_marker: Vec::new() });
        }
        BASE64.decode(&self.base64).map_err(|_| Error::Base64Decode(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "x: y\r\n-----BEGIN A KEY-----\r\nName: value,1\r\n\r\naGVs\r\n bG8=\r\n-----END A KEY-----\r\n\
                       -----BEGIN B-----\nAAAA\n-----END B-----\n";

    fn first(pem: &str) -> Section<'_> {
        all(pem).next().unwrap()
    }

    #[test]
    fn headers_and_content_are_told_apart() {
        let section = first(PEM);
        assert_eq!((section.label, section.header("Name")), ("A KEY", Some("value,1")));
        assert_eq!(section.content().unwrap(), b"hello");
        assert_eq!(all(PEM).map(|section| section.label).collect::<Vec<_>>(), ["A KEY", "B"]);
    }

    #[test]
    fn damaged_sections_are_errors() {
        let error = first(&PEM[..60]).content().unwrap_err();
        assert!(matches!(error, Error::MissingSectionEnd { .. }), "{error:?}");
        let error = first(&PEM.replace("aGVs", "a*Vs")).content().unwrap_err();
        assert!(matches!(error, Error::Base64Decode(_)), "{error:?}");
        let error = first(&PEM.replace("KEY-----\r\nName", "KEY----- Name")).content().unwrap_err();
        assert!(matches!(error, Error::IllegalSectionStart { .. }), "{error:?}");
        let one_line = PEM["x: y\r\n".len()..].replace(['\r', '\n'], "");
        let error = first(&one_line).content().unwrap_err();
        assert!(matches!(error, Error::MissingSectionEnd { .. }), "{error:?}");
    }

    #[test]
    fn a_line_with_a_colon_within_the_content_is_damage() {
        let error = first(&PEM.replace(" bG8=", ":bG8=")).content().unwrap_err();
        assert!(matches!(error, Error::Base64Decode(_)), "{error:?}");
    }

    #[test]
    fn a_section_ends_with_its_own_label() {
        for end in ["-----END B-----", "-----END A-----", "-----END A KEY"] {
            let error = first(&PEM.replace("-----END A KEY-----", end)).content().unwrap_err();
            assert!(matches!(error, Error::MissingSectionEnd { .. }), "{end}: {error:?}");
        }
    }

    #[test]
    fn a_section_without_an_end_leaves_the_next_one_whole() {
        let cut_off = PEM.replace("-----END A KEY-----\r\n", "");
        let ends: Vec<_> = all(&cut_off).map(|section| section.content().is_ok()).collect();
        assert_eq!(ends, [false, true]);
    }
}
