//! The library of a token's maker, loaded once and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use secrecy::{ExposeSecret, SecretString};

use super::failure::{cause, problem, value};
use super::selector::TokenSelector;
use crate::error::Error;
use crate::setting::Setting;

/// All that have been loaded. They stay so until the process ends: C_Finalize would end the sessions of whoever else
/// uses the library here, and unloading is where many of them crash.
static LOADED: Mutex<Vec<Arc<Module>>> = Mutex::new(Vec::new());

/// A PKCS#11 library, initialized.
#[derive(Debug)]
pub(super) struct Module {
    path: PathBuf,
    context: Pkcs11,
    /// PINs that were wrong, by token, in whichever slot it is: a token counts attempts, and locks itself.
    refused_pins: Mutex<Vec<(TokenSelector, SecretString)>>,
}

/// A token that is there.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) slot: Slot,
    pub(super) info: TokenInfo,
}

impl Module {
    /// Loads and initializes a library, or finds it loaded.
    ///
    /// # Errors
    /// [`Error::Identity`] when the file is no PKCS#11 library, or does not start.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, Error> {
        // A name without a folder is for the system's loader to find.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // Held while loading: the standard leaves C_Initialize from two threads at once undefined.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.iter().find(|module| module.path == path) {
            return Ok(Arc::clone(module));
        }
        let context = Pkcs11::new(&path).map_err(|error| unusable(&path, error))?;
        let module = Arc::new(Self { path, context, refused_pins: Mutex::default() });
        module.initialize()?;
        loaded.push(Arc::clone(&module));
        Ok(module)
    }

    /// Initializes the library unless somebody in this process has.
    pub(super) fn initialize(&self) -> Result<(), Error> {
        match self.context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(error) if value(&error) != Some(RvError::CryptokiAlreadyInitialized) => {
                let hint = "is it configured, and may this user read that? SoftHSM reads the file that SOFTHSM2_CONF names";
                Err(self.problem("does not start", Some(hint), error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// The tokens that are there and initialized.
    ///
    /// # Errors
    /// [`Error::Identity`].
    pub(super) fn tokens(&self) -> Result<Vec<Token>, Error> {
        let slots = self
            .context
            .get_slots_with_token()
            .map_err(|error| self.problem("does not tell its slots", None, error))?;
        let mut tokens = Vec::new();
        for slot in slots {
            match self.context.get_token_info(slot) {
                Ok(info) if info.token_initialized() => tokens.push(Token { slot, info }),
                Ok(_) => {}
                // Pulled out in the meantime, or of a kind that the library does not know: no reason to fail where
                // another one is meant.
                Err(error) => log::debug!("PKCS#11: slot {slot}: {}", cause(error)),
            }
        }
        Ok(tokens)
    }

    /// The one token that fits.
    ///
    /// # Errors
    /// [`Error::Identity`], naming what there is, when none fits and when several do.
    pub(super) fn token(&self, wanted: &TokenSelector) -> Result<Token, Error> {
        let all = self.tokens()?;
        let mut fitting: Vec<&Token> =
            all.iter().filter(|token| wanted.fits(token.slot, &token.info)).collect();
        match (fitting.pop(), fitting.is_empty()) {
            (Some(token), true) => Ok(token.clone()),
            (Some(last), false) => {
                fitting.push(last);
                Err(problem(
                    format!("{} tokens fit: {}", fitting.len(), names(fitting.into_iter())),
                    Some(&format!(
                        "say which by its slot ({}), or by its serial number in a URI ({})",
                        Setting::SlotId,
                        Setting::Pkcs11Uri
                    )),
                    None,
                ))
            }
            (None, _) if all.is_empty() => Err(problem(
                format!("the PKCS#11 library {} has no initialized token", self.path.display()),
                Some(
                    "is the token plugged in, and is the library configured for it? SoftHSM reads SOFTHSM2_CONF",
                ),
                None,
            )),
            (None, _) => Err(problem(
                format!("no {wanted}; there is {}", names(all.iter())),
                Some(&format!("{} shows slots, tokens and what is on them", Setting::TokenListing)),
                None,
            )),
        }
    }

    /// Opens a session, and logs in if there is a PIN and the token wants one. One attempt: a PIN that this token has
    /// refused is not sent to it again while the process lives.
    ///
    /// # Errors
    /// [`Error::Identity`].
    pub(super) fn open(&self, token: &Token, pin: Option<&SecretString>) -> Result<Session, Error> {
        let session = self.open_public(token)?;
        if token.info.login_required() {
            self.login(&session, token, pin)?;
        }
        Ok(session)
    }

    /// Opens a session without a login of its own.
    ///
    /// # Errors
    /// [`Error::Identity`].
    pub(super) fn open_public(&self, token: &Token) -> Result<Session, Error> {
        let session = self.context.open_ro_session(token.slot);
        session.map_err(|error| token.problem("cannot be opened", None, error))
    }

    /// A login is the whole process's: what another session of it has done counts (PKCS#11 v2.40, §5.6, C_Login).
    fn login(&self, session: &Session, token: &Token, pin: Option<&SecretString>) -> Result<(), Error> {
        // Held for the attempt, so that two threads do not make two of a wrong PIN.
        let mut refused = self.refused_pins.lock().unwrap_or_else(PoisonError::into_inner);
        // As they are now: another process may have tried.
        let info = self
            .context
            .get_token_info(token.slot)
            .map_err(|error| token.problem("does not answer", None, error))?;
        if pin.is_none() && !info.protected_authentication_path() {
            return Ok(());
        }
        if info.user_pin_locked() {
            return Err(token.locked(None));
        }
        if pin.is_some_and(|pin| pin.expose_secret().is_empty()) {
            let hint = "it was not shown to the token, which would count it as a wrong one";
            return Err(problem(format!("the PIN for the {token} is empty"), Some(hint), None));
        }
        let this = TokenSelector::exactly(&info);
        if let Some(pin) = pin
            && refused.iter().any(|(other, old)| *other == this && old.expose_secret() == pin.expose_secret())
        {
            return Err(token.wrong_pin(&info, None));
        }
        if info.user_pin_final_try() {
            log::warn!("PKCS#11: {token} locks itself if this PIN is wrong, too: it is the last attempt");
        } else if info.user_pin_count_low() {
            log::warn!("PKCS#11: {token} has seen a wrong PIN since the last good one; it may lock itself");
        }
        let error = match session.login(UserType::User, pin) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match value(&error) {
            Some(RvError::UserAlreadyLoggedIn) => Ok(()),
            Some(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid) => {
                refused.extend(pin.map(|pin| (this, pin.clone())));
                let now = self.context.get_token_info(token.slot).unwrap_or(info);
                Err(token.wrong_pin(&now, Some(error)))
            }
            Some(RvError::PinLocked) => Err(token.locked(Some(error))),
            Some(RvError::PinExpired) => Err(token.problem(
                "wants a new PIN",
                Some("set one with the tool of the token's maker"),
                error,
            )),
            Some(RvError::UserPinNotInitialized) => Err(token.problem(
                "has no PIN yet",
                Some("set one with the tool of the token's maker"),
                error,
            )),
            _ => Err(token.problem("does not take the login", None, error)),
        }
    }

    fn problem(&self, what: &str, hint: Option<&str>, error: Pkcs11Error) -> Error {
        problem(format!("the PKCS#11 library {} {what}", self.path.display()), hint, Some(cause(error)))
    }
}

impl Token {
    pub(super) fn problem(&self, what: &str, hint: Option<&str>, error: Pkcs11Error) -> Error {
        problem(format!("the {self} {what}"), hint, Some(cause(error)))
    }

    fn locked(&self, error: Option<Pkcs11Error>) -> Error {
        problem(
            format!("the {self} is locked: too many wrong PINs"),
            Some("its security officer can unlock it, with the tool of the token's maker"),
            error.map(cause),
        )
    }

    fn wrong_pin(&self, info: &TokenInfo, error: Option<Pkcs11Error>) -> Error {
        let hint = if info.user_pin_locked() {
            "that was the last attempt: its security officer can unlock it"
        } else if info.user_pin_final_try() {
            "the next wrong one locks the token: check it before you try again"
        } else {
            "one attempt was made, and none will follow: a token locks itself after a few"
        };
        problem(format!("the {self} refused the PIN"), Some(hint), error.map(cause))
    }
}

/// `token "a" in slot 3`
impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "token {:?} in slot {}", self.info.label(), self.slot)
    }
}

fn names<'a>(tokens: impl Iterator<Item = &'a Token>) -> String {
    let names = tokens.map(|token| {
        format!(
            "{:?} in slot {} (serial number {})",
            token.info.label(),
            token.slot,
            token.info.serial_number()
        )
    });
    names.collect::<Vec<_>>().join(", ")
}

fn unusable(path: &Path, error: Pkcs11Error) -> Error {
    let hint = match error {
        Pkcs11Error::LibraryLoading(_) => {
            "name the library of the token's maker, built for this system: for SoftHSM libsofthsm2.so"
        }
        _ => "it is a library, but not one for PKCS#11: name the one of the token's maker",
    };
    problem(format!("cannot load the PKCS#11 library {}", path.display()), Some(hint), Some(cause(error)))
}
