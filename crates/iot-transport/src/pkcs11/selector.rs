//! What the user says of the token and of the key on it.

use std::fmt;

use cryptoki::slot::{Slot, TokenInfo};

/// Which token: every part that is given has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSelector {
    /// The token's label.
    pub label: Option<String>,
    /// Its maker.
    pub manufacturer: Option<String>,
    /// The maker's model.
    pub model: Option<String>,
    /// The maker's serial number.
    pub serial: Option<String>,
    /// The slot that it is in.
    pub slot_id: Option<u64>,
}

impl TokenSelector {
    /// The token that this is, in whichever slot it is: a token that was pulled out may come back in another.
    pub(super) fn exactly(token: &TokenInfo) -> Self {
        Self {
            label: Some(token.label().to_owned()),
            manufacturer: Some(token.manufacturer_id().to_owned()),
            model: Some(token.model().to_owned()),
            serial: Some(token.serial_number().to_owned()),
            slot_id: None,
        }
    }

    pub(super) fn fits(&self, slot: Slot, token: &TokenInfo) -> bool {
        let fits =
            |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|text| text == actual);
        fits(&self.label, token.label())
            && fits(&self.manufacturer, token.manufacturer_id())
            && fits(&self.model, token.model())
            && fits(&self.serial, token.serial_number())
            && self.slot_id.is_none_or(|id| id == slot.id())
    }
}

/// `token with label "a" in slot 3`
impl fmt::Display for TokenSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token")?;
        let mut separator = " with";
        for (name, value) in [
            ("label", &self.label),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial number", &self.serial),
        ] {
            if let Some(value) = value {
                write!(f, "{separator} {name} {value:?}")?;
                separator = ",";
            }
        }
        match self.slot_id {
            Some(id) => write!(f, " in slot {id}"),
            None => Ok(()),
        }
    }
}

/// Which private key: every part that is given has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySelector {
    /// CKA_LABEL.
    pub label: Option<String>,
    /// CKA_ID.
    pub id: Option<Vec<u8>>,
}

impl KeySelector {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `private key with label "a" and ID 01ab`
impl fmt::Display for KeySelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("private key")?;
        match (&self.label, &self.id) {
            (None, None) => Ok(()),
            (Some(label), None) => write!(f, " with label {label:?}"),
            (None, Some(id)) => write!(f, " with ID {}", hex::encode(id)),
            (Some(label), Some(id)) => write!(f, " with label {label:?} and ID {}", hex::encode(id)),
        }
    }
}
