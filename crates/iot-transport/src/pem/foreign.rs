//! Files of another format than the one that was asked for.

use std::path::Path;

use base64::prelude::*;
use serde_json::Value;

use super::section;
use crate::asn1::{first_value, is_pkcs12};
use crate::setting::Setting;

/// The expected content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Certificate,
    Key,
    Authorities,
    Pkcs12,
}

/// A file's real format, in words that follow its name, and a remedy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) is: &'static str,
    pub(crate) hint: Option<String>,
}

/// Where an answer of AWS IoT holds PEM: those of `create-keys-and-certificate` and `create-provisioning-claim`, and of
/// `describe-certificate` and `describe-ca-certificate`
/// (<https://docs.aws.amazon.com/iot/latest/apireference/API_CreateKeysAndCertificate.html>).
const CERTIFICATE_FIELDS: [&str; 2] = ["/certificatePem", "/certificateDescription/certificatePem"];
const KEY_FIELDS: [&str; 1] = ["/keyPair/PrivateKey"];

/// Recognises a format; `text` is the decoded content.
pub(crate) fn format(content: &[u8], text: &str, path: &Path, wanted: Wanted) -> Option<Foreign> {
    let file = path.display();
    let found = |is, hint: String| Some(Foreign { is, hint: Some(hint) });
    match content {
        [] => return Some(Foreign { is: "is empty", hint: None }),
        // JKS, and JCEKS, which keytool reads as well.
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => {
            let convert = secret(&format!(
                "keytool -importkeystore -srckeystore {file} -destkeystore {file}.p12 -deststoretype PKCS12"
            ));
            return found(
                "is a Java keystore (JKS)",
                match wanted {
                    Wanted::Authorities => {
                        format!("take the certificates out: keytool -list -rfc -keystore {file} > {file}.pem")
                    }
                    Wanted::Pkcs12 => format!("convert it: {convert}"),
                    Wanted::Certificate | Wanted::Key => {
                        format!("convert it: {convert}, and name that by {}", Setting::Pkcs12File)
                    }
                },
            );
        }
        _ if wanted == Wanted::Pkcs12 => {}
        _ if is_pkcs12(content) => {
            return found(
                "is a PKCS#12 file, not PEM",
                match wanted {
                    Wanted::Authorities => {
                        format!("convert it: openssl pkcs12 -in {file} -nokeys -out {file}.pem")
                    }
                    _ => format!(
                        "name it by {}: the sample pkcs12_connect reads it as it is",
                        Setting::Pkcs12File
                    ),
                },
            );
        }
        der if is_sequence(der) => {
            return found(
                "is in DER form, not PEM",
                format!("convert it: openssl {} -inform DER -in {file} -out {file}.pem", tool(wanted)),
            );
        }
        _ => {}
    }
    let remedy = Remedy { path, wanted, is_utf16: matches!(content, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) };
    json(text, &remedy)
        .or_else(|| base64(text, &remedy))
        .or_else(|| (wanted != Wanted::Pkcs12).then(|| disfigured(text, &remedy)).flatten())
}

/// A command that leaves files for their owner alone.
pub(crate) fn secret(command: &str) -> String {
    format!("(umask 077 && {command})")
}

/// The commands that convert a text file.
struct Remedy<'a> {
    path: &'a Path,
    wanted: Wanted,
    /// By its byte order mark; few programs read it.
    is_utf16: bool,
}

impl Remedy<'_> {
    /// Writes what `filter` makes of the text to a file with another ending.
    fn filter(&self, filter: &str, ending: &str) -> String {
        let file = self.path.display();
        let command = match (self.is_utf16, filter.split_once(" | ")) {
            (true, _) => format!("{} | {filter}", self.text()),
            // macOS's base64 takes no file name.
            (false, None) => format!("{filter} < {file}"),
            (false, Some((first, then))) => format!("{first} < {file} | {then}"),
        };
        self.write(&command, ending)
    }

    /// Writes the output of a command to a file with another ending.
    fn write(&self, command: &str, ending: &str) -> String {
        let command = format!("{command} > {}{ending}", self.path.display());
        match self.wanted {
            Wanted::Key | Wanted::Pkcs12 => secret(&command),
            Wanted::Certificate | Wanted::Authorities => command,
        }
    }

    /// A command that prints the text.
    fn text(&self) -> String {
        let file = self.path.display();
        match self.is_utf16 {
            true => format!("iconv -f UTF-16 -t UTF-8 {file}"),
            false => format!("cat {file}"),
        }
    }
}

/// Recognises PEM that its reader does not find.
fn disfigured(text: &str, remedy: &Remedy<'_>) -> Option<Foreign> {
    let begin = text.split(['\n', '\r']).find(|line| line.trim_start().starts_with("-----BEGIN "))?;
    let (is, hint) = if begin.contains("\\n") {
        let command = remedy.write(&format!("printf '%b' \"$({})\"", remedy.text()), ".pem");
        ("has \\n in place of its line breaks", format!("write them as such: {command}"))
    } else if begin.starts_with(char::is_whitespace) {
        let command = remedy.filter("sed 's/^[[:space:]]*//'", ".pem");
        (
            "is indented: white space stands before its BEGIN line",
            format!("take the white space out: {command}"),
        )
    } else if section::all(text).any(|section| section.label == "PKCS7") {
        let command = remedy.filter("openssl pkcs7 -print_certs", ".pem");
        ("holds a PKCS#7 bundle", format!("take the certificates out: {command}"))
    } else {
        return None;
    };
    Some(Foreign { is, hint: Some(hint) })
}

/// Recognises an answer of the AWS CLI.
fn json(text: &str, remedy: &Remedy<'_>) -> Option<Foreign> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let fields = match remedy.wanted {
        Wanted::Key => &KEY_FIELDS[..],
        Wanted::Certificate | Wanted::Authorities => &CERTIFICATE_FIELDS,
        Wanted::Pkcs12 => &[],
    };
    let filter = match &value {
        Value::String(_) => Some(".".to_owned()),
        value => fields
            .iter()
            .find(|field| value.pointer(field).is_some_and(Value::is_string))
            .map(|field| field.replace('/', ".")),
    };
    let hint = filter.filter(|_| remedy.wanted != Wanted::Pkcs12).map(|filter| {
        format!("take the PEM out of it: {}", remedy.filter(&format!("jq -r {filter}"), ".pem"))
    });
    Some(Foreign { is: "is JSON", hint })
}

/// Recognises base64 without BEGIN and END, which environment variables and Kubernetes secrets hold.
fn base64(text: &str, remedy: &Remedy<'_>) -> Option<Foreign> {
    let characters: String = text.split_whitespace().collect();
    let decoded = BASE64_STANDARD.decode(&characters).ok()?;
    let (is, hint) = match decoded.as_slice() {
        [0x30, ..] if remedy.wanted == Wanted::Pkcs12 => {
            ("is base64", format!("decode it: {}", remedy.filter("base64 -d", ".p12")))
        }
        der if is_sequence(der) => {
            let convert = format!("base64 -d | openssl {} -inform DER", tool(remedy.wanted));
            (
                "is base64 without a BEGIN and an END line",
                format!("convert it: {}", remedy.filter(&convert, ".pem")),
            )
        }
        pem if pem.starts_with(b"-----BEGIN ") => {
            ("is PEM in base64", format!("decode it: {}", remedy.filter("base64 -d", ".pem")))
        }
        _ => return None,
    };
    Some(Foreign { is, hint: Some(hint) })
}

/// Recognises an ASN.1 SEQUENCE, such as a certificate or a key. No text has a length of several bytes, or an indefinite
/// one (ITU-T X.690 §8.1.3), at its begin: of those the rest may be missing.
fn is_sequence(content: &[u8]) -> bool {
    matches!(content, [0x30, 0x80..=0x84, ..])
        || content.starts_with(&[0x30]) && first_value(content).is_some_and(|own| own == content)
}

/// OpenSSL's converter.
fn tool(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Key => "pkey",
        Wanted::Certificate | Wanted::Authorities | Wanted::Pkcs12 => "x509",
    }
}
