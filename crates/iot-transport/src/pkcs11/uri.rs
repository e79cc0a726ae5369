//! The URIs of RFC 7512, which name a token, an object on it, and where the library and the PIN are.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::selector::{KeySelector, TokenSelector};

/// A `pkcs11:` URI, taken apart.
#[derive(Debug, Clone, Default)]
pub struct Pkcs11Uri {
    /// The token.
    pub token: TokenSelector,
    /// The key, and its certificate.
    pub key: KeySelector,
    /// The library (RFC 7512 §2.3, `module-path`).
    pub module: Option<PathBuf>,
    /// The PIN.
    pub pin: Option<UriPin>,
}

/// Where a URI says that the PIN is.
#[derive(Debug, Clone)]
pub enum UriPin {
    /// `pin-value`.
    Value(SecretString),
    /// `pin-source`, which this crate takes for a file only.
    File(PathBuf),
}

/// What is wrong with a URI. Its text quotes names of attributes, but no value: one may be the PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUri(String);

impl fmt::Display for InvalidUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SCHEME: &str = "pkcs11:";

/// What may stand in a value as it is, beside letters and digits: `unreserved` of RFC 3986 and `pk11-res-avail` of
/// RFC 7512 §2.3, with what path and query add to it.
const PATH_MARKS: &str = "-._~:[]@!$'()*+,=&";
const QUERY_MARKS: &str = "-._~:[]@!$'()*+,=/?|";

const QUERY_ATTRIBUTES: [&str; 3] = ["module-path", "pin-value", "pin-source"];

impl Pkcs11Uri {
    /// # Errors
    /// Anything but a `pkcs11:` URI whose attributes are all known here (or a vendor's, `x-…`), each given once.
    pub fn parse(text: &str) -> Result<Self, InvalidUri> {
        let rest = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
            _ => return refuse("it does not begin with \"pkcs11:\""),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let mut seen = Vec::new();
        for attribute in components(path, ';', PATH_MARKS) {
            let (name, value) = attribute?;
            once(&mut seen, name)?;
            uri.path_attribute(name, value)?;
        }
        for attribute in components(query, '&', QUERY_MARKS) {
            let (name, value) = attribute?;
            once(&mut seen, name)?;
            uri.query_attribute(name, value)?;
        }
        Ok(uri)
    }

    fn path_attribute(&mut self, name: &str, value: Vec<u8>) -> Result<(), InvalidUri> {
        match name {
            "token" => self.token.label = Some(text(name, value)?),
            "manufacturer" => self.token.manufacturer = Some(text(name, value)?),
            "model" => self.token.model = Some(text(name, value)?),
            "serial" => self.token.serial = Some(text(name, value)?),
            "slot-id" => match text(name, value)?.parse() {
                Ok(id) => self.token.slot_id = Some(id),
                Err(_) => return refuse("slot-id is not a decimal number"),
            },
            "object" => self.key.label = Some(text(name, value)?),
            "id" if value.is_empty() => return refuse("id is empty"),
            "id" => self.key.id = Some(value),
            // A tool that lists certificates gives their URI, and the key is the one with the same ID or label.
            "type" if matches!(value.as_slice(), b"private" | b"cert") => {}
            "type" => return refuse("type is neither private nor cert"),
            _ => return unknown(name),
        }
        Ok(())
    }

    fn query_attribute(&mut self, name: &str, value: Vec<u8>) -> Result<(), InvalidUri> {
        let pin = match name {
            "module-path" if value.is_empty() => return refuse("module-path is empty"),
            "module-path" => {
                self.module = Some(text(name, value)?.into());
                return Ok(());
            }
            "pin-value" => UriPin::Value(text(name, value)?.into()),
            "pin-source" => UriPin::File(pin_file(&text(name, value)?)?),
            _ => return unknown(name),
        };
        match self.pin.replace(pin) {
            None => Ok(()),
            // RFC 7512 §2.4.
            Some(_) => refuse("pin-value and pin-source exclude each other"),
        }
    }
}

/// The attributes of a part of the URI, each with its value decoded.
fn components<'a>(
    part: &'a str,
    separator: char,
    marks: &'static str,
) -> impl Iterator<Item = Result<(&'a str, Vec<u8>), InvalidUri>> {
    let components = (!part.is_empty()).then(|| part.split(separator)).into_iter().flatten();
    components.map(move |component| {
        let Some((name, value)) = component.split_once('=') else {
            return refuse("an attribute is not of the form name=value");
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return refuse("an attribute's name has other characters than letters, digits, - and _");
        }
        // In the path an & is a part of the value (RFC 7512 §2.3): of a label that nobody has, and that would be shown.
        let misplaced = QUERY_ATTRIBUTES
            .iter()
            .any(|query| separator == ';' && (name == *query || value.contains(&format!("&{query}="))));
        if misplaced {
            return refuse("pin-value, pin-source and module-path belong behind a question mark: pkcs11:…?…");
        }
        Ok((name, decode(name, value, marks)?))
    })
}

fn once<'a>(seen: &mut Vec<&'a str>, name: &'a str) -> Result<(), InvalidUri> {
    // RFC 7512 §2.3 lets vendors repeat theirs.
    if seen.contains(&name) && !is_vendors(name) {
        return refuse(&format!("{name} is given twice"));
    }
    seen.push(name);
    Ok(())
}

fn decode(name: &str, value: &str, marks: &str) -> Result<Vec<u8>, InvalidUri> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (rest.next().and_then(nibble), rest.next().and_then(nibble)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return refuse(&format!("{name} has a % without two hexadecimal digits behind it")),
            },
            byte if byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte) => byte,
            _ => return refuse(&format!("{name} has a character that must be percent-encoded")),
        });
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn text(name: &str, value: Vec<u8>) -> Result<String, InvalidUri> {
    String::from_utf8(value).or_else(|_| refuse(&format!("{name} is not UTF-8")))
}

/// A path, or a `file:` URI (RFC 8089). RFC 7512 §2.4 also thinks of commands behind a `|`: they are never run.
fn pin_file(source: &str) -> Result<PathBuf, InvalidUri> {
    let path = match source.split_once(':') {
        None => source,
        Some((scheme, path)) if scheme.eq_ignore_ascii_case("file") => match path.strip_prefix("//") {
            Some(with_host) => with_host.strip_prefix("localhost").unwrap_or(with_host),
            None => path,
        },
        // A colon in a file's name.
        Some((folder, _)) if folder.contains('/') => source,
        Some(_) => return refuse("pin-source is of a scheme other than file:"),
    };
    match path {
        "" => refuse("pin-source is empty"),
        _ if path.starts_with('|') => refuse("pin-source names a command, which is never run"),
        _ if source.len() != path.len() && !path.starts_with('/') => {
            refuse("pin-source names a file of another machine, or no absolute path: file:/path")
        }
        path => Ok(path.into()),
    }
}

fn unknown<T>(name: &str) -> Result<T, InvalidUri>
where
    T: Default,
{
    match name {
        _ if is_vendors(name) => Ok(T::default()),
        // They are RFC 7512's; to ignore one could select another token than was meant.
        "library-description"
        | "library-manufacturer"
        | "library-version"
        | "slot-description"
        | "slot-manufacturer"
        | "module-name" => refuse(&format!("{name} is not supported here")),
        _ => refuse(&format!("{name} is no attribute of a pkcs11: URI, or not in this place")),
    }
}

fn is_vendors(name: &str) -> bool {
    name.starts_with("x-")
}

fn refuse<T>(problem: &str) -> Result<T, InvalidUri> {
    Err(InvalidUri(problem.to_owned()))
}

#[cfg(test)]
#[path = "uri_tests.rs"]
mod tests;
