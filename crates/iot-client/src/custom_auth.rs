//! What a client tells a custom authorizer: the user name and the password of its CONNECT.
//!
//! Pure: values come in, text goes out. The source is AWS's guide, "Connecting to AWS IoT Core by using custom
//! authentication" (<https://docs.aws.amazon.com/iot/latest/developerguide/custom-auth.html>): the authorizer's name
//! and the signed token travel as a query behind the user name. Only the signature is URI-encoded here, and only when
//! it holds no `%` yet; whoever wants characters of a query in the other values encodes them.
//!
//! An application with a logger of its own has to keep `paho_mqtt` at info and `tungstenite` at debug, as the samples'
//! logger does: below that they log what they send, and so these secrets.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// The parameters that AWS IoT Core reads from the query.
const NAME: &str = "x-amz-customauthorizer-name";
const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// What stays as it is in a signature (RFC 3986 §2.3): of the alphabet of base64, `+`, `/` and `=` do not.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest string of MQTT, in bytes (MQTT 5.0 §1.5.4, §1.5.6).
const MAXIMUM: usize = u16::MAX as usize;

/// Stands for a secret where one is shown.
const HIDDEN: &str = "…";

/// A custom authorizer, and what it shall look at. `Debug` hides what is secret.
#[derive(Clone)]
pub struct CustomAuthorizer {
    name: Option<String>,
    username: String,
    password: Option<SecretString>,
    token: Option<SignedToken>,
}

/// The token that an authorizer with signing asks for, and the proof that whoever made it has the private key.
/// `Debug` hides both.
#[derive(Clone)]
pub struct SignedToken {
    key_name: String,
    value: SecretString,
    /// As it is sent: URI-encoded.
    signature: SecretString,
}

/// Why values cannot be sent to a custom authorizer. No message holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCustomAuthorizer {
    /// A value that has to be there has no characters.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A value holds a character that ends it in a query, or that no query may hold.
    #[error(
        "the {what} holds {character}, which would break the query of the CONNECT's user name: URI-encode it"
    )]
    Character {
        /// The value, in the user's terms.
        what: &'static str,
        /// The character, in words where it has no shape.
        character: String,
    },
    /// A value holds a `%` that two hexadecimal digits do not follow.
    #[error("the {0} holds a % that begins no URI-encoded character: URI-encode it as %25")]
    Percent(&'static str),
    /// The user name has a control character, which MQTT forbids or discourages (MQTT 5.0 §1.5.4).
    #[error("the user name holds a control character")]
    ControlCharacter,
    /// The user name has more than one query.
    #[error("the user name holds more than one ?, and AWS IoT Core reads one query")]
    SecondQuery,
    /// The user name brings a parameter that was given as well.
    #[error("the user name holds {0} already: give it in one of the two places")]
    GivenTwice(String),
    /// The token's key name is a parameter that AWS IoT Core reads itself.
    #[error("the token's key name cannot be {0}, which has a meaning of its own")]
    Reserved(&'static str),
    /// The signature is not base64 (RFC 4648 §4).
    #[error("the token signature is not base64")]
    SignatureNotBase64,
    /// The signature's own `%` have been encoded, too.
    #[error("the token signature was URI-encoded twice")]
    SignatureEncodedTwice,
    /// The signature holds `%` and `+`: the latter means a space in a query.
    #[error("the token signature is URI-encoded only in part: a + of it has to be %2B")]
    SignatureEncodedInPart,
    /// A string is too long for MQTT.
    #[error("the {what} of the CONNECT has {length} bytes, and MQTT takes at most {MAXIMUM}")]
    TooLong {
        /// Which string.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

impl CustomAuthorizer {
    /// An authorizer by its name (`None` is the account's default one), with the user name and the password that it
    /// shall look at, and the token where it asks for a signed one.
    ///
    /// # Errors
    ///
    /// What AWS IoT Core could not read as it is meant, or MQTT cannot carry.
    pub fn new(
        name: Option<String>,
        username: Option<String>,
        password: Option<SecretString>,
        token: Option<SignedToken>,
    ) -> Result<Self, InvalidCustomAuthorizer> {
        if let Some(name) = &name {
            check_for_query("authorizer's name", name)?;
        }
        let authorizer = Self { name, username: username.unwrap_or_default(), password, token };
        authorizer.check_username()?;
        check_length("user name", authorizer.connect_username().expose_secret())?;
        if let Some(password) = &authorizer.password {
            check_length("password", password.expose_secret())?;
        }
        Ok(authorizer)
    }

    /// The authorizer's name; `None` is the account's default one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The user name to put into CONNECT.
    #[must_use]
    pub fn connect_username(&self) -> SecretString {
        let token = self.token.as_ref();
        with_query(
            &self.username,
            [
                self.name.as_deref().map(|name| (NAME, name)),
                token.map(|token| (&*token.key_name, token.value.expose_secret())),
                token.map(|token| (SIGNATURE, token.signature.expose_secret())),
            ],
        )
        .into()
    }

    /// The password to put into CONNECT.
    #[must_use]
    pub fn connect_password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    /// [`connect_username`](Self::connect_username) for people to look at. The values of a query that the user name
    /// brought along are hidden, too: they may be a token.
    #[must_use]
    pub fn shown_username(&self) -> String {
        let username = match self.username.split_once('?') {
            None => self.username.clone(),
            Some((user, query)) => {
                let hidden = query.split('&').map(|pair| match pair.split_once('=') {
                    Some((key, _)) => format!("{key}={HIDDEN}"),
                    None => HIDDEN.to_owned(),
                });
                format!("{user}?{}", hidden.collect::<Vec<_>>().join("&"))
            }
        };
        let token = self.token.as_ref();
        with_query(
            &username,
            [
                self.name.as_deref().map(|name| (NAME, name)),
                token.map(|token| (&*token.key_name, HIDDEN)),
                token.map(|_| (SIGNATURE, HIDDEN)),
            ],
        )
    }

    fn check_username(&self) -> Result<(), InvalidCustomAuthorizer> {
        if self.username.contains(char::is_control) {
            return Err(InvalidCustomAuthorizer::ControlCharacter);
        }
        let Some((_, query)) = self.username.split_once('?') else { return Ok(()) };
        if query.contains('?') {
            return Err(InvalidCustomAuthorizer::SecondQuery);
        }
        let token = self.token.as_ref();
        let added =
            [self.name.as_ref().map(|_| NAME), token.map(|token| &*token.key_name), token.map(|_| SIGNATURE)];
        let brought = |key: &str| query.split('&').any(|pair| pair.split('=').next() == Some(key));
        match added.into_iter().flatten().find(|key| brought(key)) {
            Some(key) => Err(InvalidCustomAuthorizer::GivenTwice(key.to_owned())),
            None => Ok(()),
        }
    }
}

impl SignedToken {
    /// A token, the name under which the authorizer looks for it, and its signature: RSA with SHA-256 over `value`, in
    /// base64, URI-encoded or not. White space in it, such as the line ends of `openssl base64`, does not count.
    ///
    /// # Errors
    ///
    /// What AWS IoT Core could not read as it is meant.
    pub fn new(
        key_name: impl Into<String>,
        value: SecretString,
        signature: &SecretString,
    ) -> Result<Self, InvalidCustomAuthorizer> {
        let key_name = key_name.into();
        check_for_query("token's key name", &key_name)?;
        if key_name.contains('=') {
            return Err(character("token's key name", '='));
        }
        if let Some(reserved) = [NAME, SIGNATURE].into_iter().find(|reserved| *reserved == key_name) {
            return Err(InvalidCustomAuthorizer::Reserved(reserved));
        }
        check_for_query("token value", value.expose_secret())?;
        let signature = encoded_signature(signature.expose_secret())?;
        Ok(Self { key_name, value, signature })
    }
}

impl fmt::Debug for CustomAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomAuthorizer")
            .field("username", &self.shown_username())
            .field("password", &self.password.as_ref().map(|_| HIDDEN))
            .finish()
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedToken").field("key_name", &self.key_name).finish_non_exhaustive()
    }
}

/// `username`, and the given parameters as a query behind it.
fn with_query<const N: usize>(username: &str, parameters: [Option<(&str, &str)>; N]) -> String {
    let mut text = username.to_owned();
    for (key, value) in parameters.into_iter().flatten() {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// What is sent as it is must not hold what a query gives a meaning to.
fn check_for_query(what: &'static str, value: &str) -> Result<(), InvalidCustomAuthorizer> {
    if value.is_empty() {
        return Err(InvalidCustomAuthorizer::Empty(what));
    }
    let breaks = |&char: &char| matches!(char, '&' | '?' | '#') || char.is_whitespace() || char.is_control();
    if let Some(found) = value.chars().find(breaks) {
        return Err(character(what, found));
    }
    let encoded =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    match value.split('%').skip(1).all(encoded) {
        true => Ok(()),
        false => Err(InvalidCustomAuthorizer::Percent(what)),
    }
}

fn character(what: &'static str, found: char) -> InvalidCustomAuthorizer {
    let character = match found {
        ' ' => "a space".to_owned(),
        '\n' | '\r' => "a line end".to_owned(),
        found if found.is_whitespace() || found.is_control() => format!("U+{:04X}", u32::from(found)),
        found => found.to_string(),
    };
    InvalidCustomAuthorizer::Character { what, character }
}

fn check_length(what: &'static str, text: &str) -> Result<(), InvalidCustomAuthorizer> {
    match text.len() {
        length if length > MAXIMUM => Err(InvalidCustomAuthorizer::TooLong { what, length }),
        _ => Ok(()),
    }
}

/// The signature as it is sent.
fn encoded_signature(given: &str) -> Result<SecretString, InvalidCustomAuthorizer> {
    let signature: String = given.split_whitespace().collect();
    if signature.is_empty() {
        return Err(InvalidCustomAuthorizer::Empty("token signature"));
    }
    if !signature.contains('%') {
        return match is_base64(&signature) {
            true => Ok(utf8_percent_encode(&signature, ENCODED).to_string().into()),
            false => Err(InvalidCustomAuthorizer::SignatureNotBase64),
        };
    }
    let decoded = percent_decode_str(&signature).decode_utf8_lossy();
    if is_base64(&decoded) {
        return match signature.contains('+') {
            true => Err(InvalidCustomAuthorizer::SignatureEncodedInPart),
            false => Ok(signature.into()),
        };
    }
    match is_base64(&percent_decode_str(&decoded).decode_utf8_lossy()) {
        true => Err(InvalidCustomAuthorizer::SignatureEncodedTwice),
        false => Err(InvalidCustomAuthorizer::SignatureNotBase64),
    }
}

fn is_base64(text: &str) -> bool {
    BASE64.decode(text).is_ok()
}

#[cfg(test)]
#[path = "custom_auth_tests.rs"]
mod tests;
