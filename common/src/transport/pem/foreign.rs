//! Files of another format than the one that was asked for.

use std::path::Path;

use base64::prelude::*;
use serde_json::Value;

use super::{first_value, section};
use crate::transport::identity;

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
            let then = if wanted == Wanted::Pkcs12 { "" } else { ", and name that by --pkcs12-file" };
            return found(
                "is a Java keystore (JKS)",
                format!(
                    "convert it: keytool -importkeystore -srckeystore {file} -destkeystore {file}.p12 -deststoretype \
                     PKCS12{then}"
                ),
            );
        }
        _ if wanted == Wanted::Pkcs12 => {}
        _ if identity::is_pkcs12(content) => {
            return found(
                "is a PKCS#12 file, not PEM",
                match wanted {
                    Wanted::Authorities => {
                        format!("convert it: openssl pkcs12 -in {file} -nokeys -out {file}.pem")
                    }
                    _ => "name it by --pkcs12-file: the sample pkcs12_connect reads it as it is".to_owned(),
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
    json(text, path, wanted)
        .or_else(|| base64(text, path, wanted))
        .or_else(|| (wanted != Wanted::Pkcs12).then(|| disfigured(text, path)).flatten())
}

/// Recognises PEM that its reader does not find.
fn disfigured(text: &str, path: &Path) -> Option<Foreign> {
    let file = path.display();
    let begin = text.split(['\n', '\r']).find(|line| line.trim_start().starts_with("-----BEGIN "))?;
    let (is, hint) = if begin.contains("\\n") {
        let hint = format!("write them as such: printf '%b' \"$(cat {file})\" > {file}.pem");
        ("has \\n in place of its line breaks", hint)
    } else if begin.starts_with(char::is_whitespace) {
        let hint = format!("take the white space out: sed 's/^[[:space:]]*//' {file} > {file}.pem");
        ("is indented: white space stands before its BEGIN line", hint)
    } else if section::all(text).any(|section| section.label == "PKCS7") {
        let hint =
            format!("take the certificates out: openssl pkcs7 -print_certs -in {file} -out {file}.pem");
        ("holds a PKCS#7 bundle", hint)
    } else {
        return None;
    };
    Some(Foreign { is, hint: Some(hint) })
}

/// Recognises an answer of the AWS CLI.
fn json(text: &str, path: &Path, wanted: Wanted) -> Option<Foreign> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let fields = match wanted {
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
    let hint = filter.filter(|_| wanted != Wanted::Pkcs12).map(|filter| {
        format!("take the PEM out of it: jq -r {filter} {file} > {file}.pem", file = path.display())
    });
    Some(Foreign { is: "is JSON", hint })
}

/// Recognises base64 without BEGIN and END, which environment variables and Kubernetes secrets hold.
fn base64(text: &str, path: &Path, wanted: Wanted) -> Option<Foreign> {
    let file = path.display();
    let characters: String = text.split_whitespace().collect();
    let decoded = BASE64_STANDARD.decode(&characters).ok()?;
    let (is, hint) = match decoded.as_slice() {
        [0x30, ..] if wanted == Wanted::Pkcs12 => {
            ("is base64", format!("decode it: base64 -d {file} > {file}.p12"))
        }
        der if is_sequence(der) => (
            "is base64 without a BEGIN and an END line",
            format!("convert it: base64 -d {file} | openssl {} -inform DER -out {file}.pem", tool(wanted)),
        ),
        pem if pem.starts_with(b"-----BEGIN ") => {
            ("is PEM in base64", format!("decode it: base64 -d {file} > {file}.pem"))
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
