//! What is on a token: private keys and certificates.

use std::fmt;

use cryptoki::error::Result;
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use rustls::pki_types::CertificateDer;

use super::scheme::PublicKey;
use super::selector::KeySelector;

/// CKA_LABEL and CKA_ID: how an object is told from others, though neither has to be unique, or there at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) label: String,
    pub(super) id: Vec<u8>,
}

/// A private key that the session may see.
#[derive(Debug)]
pub(super) struct PrivateKey {
    pub(super) handle: ObjectHandle,
    pub(super) name: Name,
    pub(super) kind: Option<KeyType>,
    /// CKA_ALWAYS_AUTHENTICATE: the PIN is wanted for each signature.
    pub(super) always_authenticate: bool,
}

/// An X.509 certificate.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) name: Name,
    pub(super) der: CertificateDer<'static>,
}

/// The private keys that fit, of those that the session may see.
pub(super) fn private_keys(session: &Session, wanted: &KeySelector) -> Result<Vec<PrivateKey>> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.extend(wanted.label.clone().map(|label| Attribute::Label(label.into())));
    template.extend(wanted.id.clone().map(Attribute::Id));
    let wanted =
        [AttributeType::Label, AttributeType::Id, AttributeType::KeyType, AttributeType::AlwaysAuthenticate];
    session
        .find_objects(&template)?
        .into_iter()
        .map(|handle| {
            let mut key =
                PrivateKey { handle, name: Name::default(), kind: None, always_authenticate: false };
            for attribute in session.get_attributes(handle, &wanted)? {
                match attribute {
                    Attribute::KeyType(kind) => key.kind = Some(kind),
                    Attribute::AlwaysAuthenticate(always) => key.always_authenticate = always,
                    other => key.name.take(other),
                }
            }
            Ok(key)
        })
        .collect()
}

impl PrivateKey {
    /// Whether it could be the private half of such a public key.
    pub(super) fn is_of_kind(&self, public_key: PublicKey) -> bool {
        self.kind.is_none_or(|kind| (kind == KeyType::RSA) == (public_key == PublicKey::Rsa))
    }
}

/// All X.509 certificates.
pub(super) fn certificates(session: &Session) -> Result<Vec<Certificate>> {
    let template =
        [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::CertificateType(CertificateType::X_509)];
    let wanted = [AttributeType::Label, AttributeType::Id, AttributeType::Value];
    session
        .find_objects(&template)?
        .into_iter()
        .map(|handle| {
            let (mut name, mut der) = (Name::default(), Vec::new());
            for attribute in session.get_attributes(handle, &wanted)? {
                match attribute {
                    Attribute::Value(value) => der = value,
                    other => name.take(other),
                }
            }
            Ok(Certificate { name, der: der.into() })
        })
        .collect()
}

impl Name {
    fn take(&mut self, attribute: Attribute) {
        match attribute {
            Attribute::Label(label) => self.label = String::from_utf8_lossy(&label).into_owned(),
            Attribute::Id(id) => self.id = id,
            _ => {}
        }
    }

    /// Whether objects of these names belong together: by their IDs (PKCS#11 v2.40, §4.6.3: "intended to match"), or
    /// by their labels where one has no ID.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        if self.id.is_empty() || other.id.is_empty() {
            !self.label.is_empty() && self.label == other.label
        } else {
            self.id == other.id
        }
    }

    /// By which this object alone is found again.
    pub(super) fn selector(&self) -> KeySelector {
        KeySelector {
            label: (!self.label.is_empty()).then(|| self.label.clone()),
            id: (!self.id.is_empty()).then(|| self.id.clone()),
        }
    }
}

/// `"device" (ID 01ab)`
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token's text: {:?} keeps control characters from a terminal.
        write!(f, "{:?} ", self.label)?;
        match self.id.as_slice() {
            [] => f.write_str("(no ID)"),
            id => write!(f, "(ID {})", hex::encode(id)),
        }
    }
}

/// Several names in a sentence.
pub(super) fn names(keys: &[PrivateKey]) -> String {
    keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>().join(", ")
}

/// The kind of a key, in a word.
pub(super) fn kind(key: &PrivateKey) -> String {
    match key.kind {
        Some(KeyType::RSA) => "RSA".to_owned(),
        Some(KeyType::EC) => "EC".to_owned(),
        Some(other) => other.to_string(),
        None => "unknown".to_owned(),
    }
}
