//! A private key on a token, as rustls signs with it.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::error::RvError;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use rustls::sign::{Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use secrecy::SecretString;

use super::failure::{cause, is_about_the_pin, problem, value};
use super::module::{Module, Token};
use super::objects::{self, Name};
use super::scheme::{self, Method, PublicKey};
use super::selector::{KeySelector, TokenSelector};
use crate::cause::Cause;
use crate::error::Error;

/// A key, and the session to use it in, which is opened again when it was lost.
pub(super) struct TokenKey {
    module: Arc<Module>,
    token: TokenSelector,
    key: KeySelector,
    /// For messages.
    name: String,
    /// For the login of a new session.
    pin: Option<SecretString>,
    /// One at a time: a session has one operation under way (PKCS#11 v2.40, §5.1).
    open: Mutex<Option<Open>>,
}

/// A session, and the key's handle in it.
pub(super) struct Open {
    pub(super) session: Session,
    pub(super) handle: ObjectHandle,
}

impl TokenKey {
    pub(super) fn new(
        module: Arc<Module>,
        token: &Token,
        name: &Name,
        pin: Option<SecretString>,
        open: Open,
    ) -> Self {
        Self {
            module,
            token: TokenSelector::exactly(&token.info),
            key: name.selector(),
            name: format!("private key {name} on the token {:?}", token.info.label()),
            pin,
            open: Mutex::new(Some(open)),
        }
    }

    /// The signature of `message`, as TLS has it.
    ///
    /// # Errors
    /// [`Error::Signature`] for what may be over at the next attempt; [`Error::Identity`] when a new session was
    /// needed and the token refuses the PIN.
    pub(super) fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.sign_raw(scheme, message)?;
        let length = signature.len();
        scheme::encode(scheme, signature).ok_or_else(|| {
            self.failure(
                format!("{length} bytes are no signature for {scheme:?}: the key is of another kind").into(),
            )
        })
    }

    /// The same as the token makes it.
    pub(super) fn sign_raw(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        let Some((mechanism, data)) = scheme::request(scheme, message) else {
            return Err(self.failure(format!("{scheme:?} is not a scheme of this key").into()));
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Open { session, handle }) = &*open {
            let error = match session.sign(&mechanism, *handle, &data) {
                Ok(signature) => return Ok(signature),
                Err(error) => error,
            };
            match value(&error) {
                // Not dropped: it is closed already, and cryptoki would log an error for closing it.
                Some(value) if is_lost_session(value) => mem::forget(open.take()),
                Some(value) if is_lost_login(value) => *open = None,
                _ => return Err(self.failure(cause(error))),
            }
            log::info!("PKCS#11: the session is lost ({}); opening another", cause(error));
        }
        let Open { session, handle } = open.insert(self.reopen()?);
        session.sign(&mechanism, *handle, &data).map_err(|error| self.failure(cause(error)))
    }

    fn reopen(&self) -> Result<Open, Error> {
        // Whatever the reason, a token that is not there may come back: not an error that ends all attempts.
        let later = |error: Error| self.failure(error.into());
        self.module.initialize().map_err(later)?;
        let token = self.module.token(&self.token).map_err(later)?;
        let session = self
            .module
            .open(&token, self.pin.as_ref())
            .map_err(|error| if is_about_the_pin(&error) { error } else { later(error) })?;
        let keys = objects::private_keys(&session, &self.key).map_err(|error| self.failure(cause(error)))?;
        match keys.as_slice() {
            [key] => Ok(Open { handle: key.handle, session }),
            keys => Err(self.failure(format!("{} keys of this name are there now", keys.len()).into())),
        }
    }

    fn failure(&self, source: Cause) -> Error {
        Error::Signature { key: self.name.clone(), source }
    }
}

/// The library's own structures are pages long.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a call answers when the token was pulled out, or somebody in this process has closed its sessions or finalized
/// the library.
fn is_lost_session(value: RvError) -> bool {
    matches!(
        value,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::CryptokiNotInitialized
    )
}

/// What it answers when somebody in this process has logged out: the session is there still.
fn is_lost_login(value: RvError) -> bool {
    matches!(value, RvError::UserNotLoggedIn | RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid)
}

/// A key with what TLS can use it for.
#[derive(Debug)]
pub(super) struct TokenSigningKey {
    pub(super) key: Arc<TokenKey>,
    pub(super) public_key: PublicKey,
    /// The preferred first.
    pub(super) methods: Vec<Method>,
}

impl SigningKey for TokenSigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut ours = self.methods.iter().flat_map(|method| method.schemes).copied();
        if let Some(scheme) = ours.find(|scheme| offered.contains(scheme)) {
            return Some(Box::new(TokenSigner { key: Arc::clone(&self.key), scheme }));
        }
        // Without a signer rustls would send no certificate, and the server would say that it wants one.
        let mut of_all = self.public_key.methods().iter().flat_map(|method| method.schemes).copied();
        let scheme = of_all.find(|scheme| offered.contains(scheme))?;
        Some(Box::new(Unable { key: self.key.name.clone(), scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.public_key.algorithm()
    }
}

#[derive(Debug)]
struct TokenSigner {
    key: Arc<TokenKey>,
    scheme: SignatureScheme,
}

impl Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.key.sign(self.scheme, message).map_err(into_rustls)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// Stands for a signature that the server accepts and the token cannot make.
#[derive(Debug)]
struct Unable {
    key: String,
    scheme: SignatureScheme,
}

impl Signer for Unable {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Err(into_rustls(problem(
            format!("the {} makes no {:?} signature, and the server takes no other", self.key, self.scheme),
            Some(
                "TLS 1.3 wants RSA-PSS of RSA keys, for which the token lacks CKM_RSA_PKCS_PSS: use an EC key, or a \
                 security policy of the endpoint that allows TLS 1.2",
            ),
            None,
        )))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// Where [`tls::connect`](crate::tls) finds the error again.
fn into_rustls(error: Error) -> rustls::Error {
    rustls::Error::Other(OtherError(Arc::new(Arc::new(error))))
}
