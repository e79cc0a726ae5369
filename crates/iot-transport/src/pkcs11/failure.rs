//! What a library answers, by the names of the standard.

use std::fmt;

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};

use crate::cause::Cause;
use crate::shortage;

/// A call that the library refused: `C_Login: CKR_PIN_INCORRECT`. The names are what its manual, and a search engine,
/// know; the standard's own text for them is a paragraph each.
#[derive(Debug)]
struct Refused {
    function: Function,
    value: RvError,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C_{:?}: CKR", self.function)?;
        for character in format!("{:?}", self.value).chars() {
            if character.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", character.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// The cause to put below one of our own errors.
pub(super) fn cause(error: Error) -> Cause {
    match error {
        Error::Pkcs11(value, function) => Refused { function, value }.into(),
        // The loader's words for a shortage are its own.
        Error::LibraryLoading(error) => match shortage::now() {
            Some(shortage) => shortage.into(),
            None => error.into(),
        },
        error => error.into(),
    }
}

/// An [`Error::Identity`](crate::Error::Identity).
pub(super) fn problem(problem: String, hint: Option<&str>, source: Option<Cause>) -> crate::Error {
    crate::Error::Identity { problem, hint: hint.map(ToOwned::to_owned), source }
}

/// The value that a call returned, if the library was reached at all.
pub(super) fn value(error: &Error) -> Option<RvError> {
    match error {
        Error::Pkcs11(value, _) => Some(*value),
        _ => None,
    }
}

/// Whether a login failed because of the PIN. Another attempt would fail as well, and be counted by the token.
pub(super) fn is_about_the_pin(error: &crate::Error) -> bool {
    let crate::Error::Identity { source, .. } = error else { return false };
    // Without a cause the token was not even asked.
    source.as_ref().is_none_or(|source| {
        source.downcast_ref::<Refused>().is_some_and(|refused| {
            matches!(
                refused.value,
                RvError::PinIncorrect
                    | RvError::PinInvalid
                    | RvError::PinLenRange
                    | RvError::PinExpired
                    | RvError::PinLocked
                    | RvError::UserPinNotInitialized
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_pin_is_final() {
        let identity = |source| crate::Error::Identity { problem: String::new(), hint: None, source };
        let refused = |value| identity(Some(cause(Error::Pkcs11(value, Function::Login))));
        for value in [RvError::PinIncorrect, RvError::PinLocked, RvError::PinExpired] {
            assert!(is_about_the_pin(&refused(value)), "{value:?}");
        }
        for value in [RvError::DeviceRemoved, RvError::SessionCount, RvError::FunctionFailed] {
            assert!(!is_about_the_pin(&refused(value)), "{value:?}");
        }
        assert!(is_about_the_pin(&identity(None)));
    }

    #[test]
    fn is_named_as_in_the_standard() {
        for (value, function, text) in [
            (RvError::PinIncorrect, Function::Login, "C_Login: CKR_PIN_INCORRECT"),
            (RvError::SessionHandleInvalid, Function::SignInit, "C_SignInit: CKR_SESSION_HANDLE_INVALID"),
        ] {
            assert_eq!(cause(Error::Pkcs11(value, function)).to_string(), text);
        }
    }
}
