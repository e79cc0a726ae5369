//! Sections of PEM files with the headers of RFC 1421 §4.4, which the TLS library's reader does not know.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::Error;

/// What stands between a BEGIN line and its END line.
pub(super) struct Section<'a> {
    /// `RSA PRIVATE KEY` and the like.
    pub(super) label: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    base64: String,
    ended: bool,
}

/// Whether the file has a section whose BEGIN line ends so.
pub(super) fn exists(pem: &[u8], end: &str) -> bool {
    String::from_utf8_lossy(pem).lines().any(|line| is_begin(line, end))
}

/// The first section whose BEGIN line ends so.
pub(super) fn first<'a>(pem: &'a str, end: &str) -> Option<Section<'a>> {
    let mut lines = pem.lines().skip_while(|line| !is_begin(line, end));
    let label = lines.next()?.trim_end().strip_prefix(BEGIN)?.strip_suffix("-----")?;
    let mut section = Section { label, headers: Vec::new(), base64: String::new(), ended: false };
    for line in lines {
        if line.starts_with("-----") {
            section.ended = line.starts_with("-----END ");
            break;
        }
        // Base64 has no colon.
        match line.split_once(':') {
            Some((name, value)) => section.headers.push((name.trim(), value.trim())),
            None => section.base64.extend(line.split_whitespace()),
        }
    }
    Some(section)
}

/// The file without its sections whose BEGIN line ends so. One that does not end is left.
pub(super) fn without(pem: &str, end: &str) -> String {
    let mut rest = String::new();
    let mut left_out = String::new();
    for line in pem.split_inclusive('\n') {
        if left_out.is_empty() && !is_begin(line, end) {
            rest.push_str(line);
            continue;
        }
        left_out.push_str(line);
        if line.starts_with("-----END ") {
            left_out.clear();
        }
    }
    rest + &left_out
}

const BEGIN: &str = "-----BEGIN ";

fn is_begin(line: &str, end: &str) -> bool {
    line.starts_with(BEGIN) && line.trim_end().ends_with(end)
}

impl<'a> Section<'a> {
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The decoded content.
    ///
    /// # Errors
    /// As the TLS library's reader, but without the bytes.
    pub(super) fn content(&self) -> Result<Vec<u8>, Error> {
        if !self.ended {
            return Err(Error::MissingSectionEnd { end_marker: Vec::new() });
        }
        BASE64_STANDARD.decode(&self.base64).map_err(|_| Error::Base64Decode(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "x: y\r\n-----BEGIN A KEY-----\r\nName: value,1\r\n\r\naGVs\r\n bG8=\r\n-----END A KEY-----\r\n\
                       -----BEGIN B-----\nAAAA\n-----END B-----\n";

    #[test]
    fn headers_and_content_are_told_apart() {
        let section = first(PEM, "KEY-----").unwrap();
        assert_eq!((section.label, section.header("Name")), ("A KEY", Some("value,1")));
        assert_eq!(section.content().unwrap(), b"hello");
        assert!(first(PEM, "C-----").is_none());
    }

    #[test]
    fn what_is_damaged_is_an_error() {
        let cut_off = &PEM[..60];
        let error = first(cut_off, "KEY-----").unwrap().content().unwrap_err();
        assert!(matches!(error, Error::MissingSectionEnd { .. }), "{error:?}");
        let error = first(&PEM.replace("aGVs", "a*Vs"), "KEY-----").unwrap().content().unwrap_err();
        assert!(matches!(error, Error::Base64Decode(_)), "{error:?}");
    }

    #[test]
    fn sections_can_be_left_out() {
        assert_eq!(without(PEM, "KEY-----"), "x: y\r\n-----BEGIN B-----\nAAAA\n-----END B-----\n");
        assert_eq!(
            without(&PEM[..60], "KEY-----"),
            &PEM[..60],
            "one without an end is left to complain about"
        );
    }
}
