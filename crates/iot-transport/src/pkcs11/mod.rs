//! Private keys on PKCS#11 tokens: HSMs, smart cards, secure elements.
//!
//! The key never leaves the token. What TLS wants signed is hashed here, the token signs the digest (`scheme`), and
//! rustls gets it as one of its signing keys (`key`). The standard is OASIS PKCS #11 v2.40.

mod failure;
mod key;
mod listing;
mod module;
mod objects;
mod scheme;
mod selector;
mod uri;

use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::session::Session;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use secrecy::SecretString;

use self::failure::problem;
use self::key::{Open, TokenKey, TokenSigningKey};
pub use self::listing::Listing;
use self::module::{Module, Token};
use self::objects::{Name, PrivateKey};
use self::scheme::{Method, PublicKey};
pub use self::selector::{KeySelector, TokenSelector};
pub use self::uri::{Pkcs11Uri, UriPin};
use super::Identity;
use crate::cause::Cause;
use crate::error::Error;
use crate::setting::Setting;

/// Which key, on which token, by which library.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pkcs11Options {
    /// The library of the token's maker.
    pub module: PathBuf,
    /// The token; by default the only one.
    pub token: TokenSelector,
    /// The private key; by default the only one of the token.
    pub key: KeySelector,
    /// The certificate and its chain in a PEM file; by default the certificate on the token that has the key's ID, or,
    /// where one of the two has no ID, its label.
    pub certificate: Option<PathBuf>,
}

impl Pkcs11Options {
    /// The defaults, with the library in the file `module`.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>) -> Self {
        Self {
            module: module.into(),
            token: TokenSelector::default(),
            key: KeySelector::default(),
            certificate: None,
        }
    }
}

/// What is signed at the start, to see that key and certificate belong together.
const PROBE: &[u8] = b"Do this private key and this certificate belong together?";

impl Identity {
    /// Takes the private key of a PKCS#11 token, and its certificate from the same token or from a file.
    ///
    /// `pin` is called once if the token wants a login, and has no PIN pad of its own for it; without a PIN only what
    /// the token shows to everybody can be used. The login is tried once. Then the key signs a probe, which is verified
    /// with the certificate.
    ///
    /// This calls into the library, which may block: on a slow token, or for a PIN pad.
    ///
    /// # Errors
    /// [`Error::Secret`] with `pin`'s own; [`Error::File`] and [`Error::Identity`] for the certificate's file; [`Error::Identity`] when the
    /// library cannot be loaded, when there is not exactly one such token, key and certificate, when the PIN is wrong,
    /// and when key and certificate do not belong together; [`Error::Signature`] when the token does not sign.
    pub fn from_pkcs11(
        options: &Pkcs11Options,
        pin: impl FnOnce() -> Result<Option<SecretString>, Cause>,
    ) -> Result<Self, Error> {
        // What is wrong with a file is better told before a PIN is asked for.
        let chains = options.certificate.as_deref().map(Identity::read_chains).transpose()?;
        let module = Module::load(&options.module)?;
        let token = module.token(&options.token)?;
        let takes_pin = token.info.login_required() && !token.info.protected_authentication_path();
        let pin = if takes_pin { pin().map_err(Error::Secret)? } else { None };
        let session = module.open(&token, pin.as_ref())?;
        let key = find_key(&session, &token, &options.key, pin.is_some())?;
        let is_file = chains.is_some();
        let is_chain = chains.as_ref().is_some_and(|chains| chains.len() > 1);
        let candidates = match chains {
            Some(chains) => chains,
            None => certificates_of(&session, &token, &key.name)?,
        };
        // Asked one by one: of a whole list cryptoki logs an error for each that it does not know.
        let can = |method: &Method| {
            let info = module.context().get_mechanism_info(token.slot, method.mechanism);
            info.is_ok_and(|info| info.sign())
        };
        let open = Open { session, handle: key.handle };
        let token_key = Arc::new(TokenKey::new(Arc::clone(&module), &token, &key.name, pin, open));

        let (mut found, mut failure) = (Vec::new(), None);
        for chain in candidates {
            let signing_key = match chain.first().map(PublicKey::of) {
                Some(Some(other)) if !key.is_of_kind(other) => None,
                // A CA may have a key of any kind.
                Some(None) if is_chain => None,
                // A token may refuse to sign for a CA's key of another size or curve than its own.
                _ => signing_key(&token_key, &chain, can).unwrap_or_else(|error| {
                    failure.get_or_insert(error);
                    None
                }),
            };
            found.extend(signing_key.map(|key| CertifiedKey::new(chain, Arc::new(key))));
            // A file may hold the certificate twice; of a token's, several that fit are a question to the user.
            if is_file && !found.is_empty() {
                break;
            }
        }
        if let (true, Some(failure)) = (found.is_empty(), failure) {
            return Err(failure);
        }
        match (found.pop(), found.len()) {
            (Some(identity), 0) => Ok(Identity::on_a_device(identity)),
            (Some(_), others) => Err(problem(
                format!("the {token} has {} certificates for the private key {}", others + 1, key.name),
                Some(&format!(
                    "say which one is registered with AWS IoT: give its file ({})",
                    Setting::Certificate
                )),
                None,
            )),
            (None, _) => Err(problem(
                match &options.certificate {
                    Some(file) => format!(
                        "the private key {} on the {token} does not belong to the client certificate {}",
                        key.name,
                        file.display()
                    ),
                    None => format!(
                        "the certificate that goes with the private key {} on the {token} is another key's",
                        key.name
                    ),
                },
                Some(&format!(
                    "a certificate that was made for this very key is needed ({}); {} shows the keys",
                    Setting::Certificate,
                    Setting::TokenListing
                )),
                None,
            )),
        }
    }
}

/// The one private key that fits.
fn find_key(
    session: &Session,
    token: &Token,
    wanted: &KeySelector,
    logged_in: bool,
) -> Result<PrivateKey, Error> {
    let search = |wanted: &KeySelector| {
        objects::private_keys(session, wanted)
            .map_err(|error| token.problem("does not tell its keys", None, error))
    };
    let mut fitting = search(wanted)?;
    match (fitting.pop(), fitting.is_empty()) {
        (Some(key), true) if key.always_authenticate => Err(problem(
            format!(
                "the private key {} on the {token} wants the PIN for each signature, which is not supported",
                key.name
            ),
            Some("use a key without CKA_ALWAYS_AUTHENTICATE; on a YubiKey, one in another slot than 9c"),
            None,
        )),
        (Some(key), true) => Ok(key),
        (Some(last), false) => {
            fitting.push(last);
            Err(problem(
                format!("{} private keys on the {token} fit: {}", fitting.len(), objects::names(&fitting)),
                Some(&format!(
                    "say which by its label ({}) or its ID ({})",
                    Setting::KeyLabel,
                    Setting::KeyId
                )),
                None,
            ))
        }
        (None, _) => {
            let all = if wanted.is_empty() { Vec::new() } else { search(&KeySelector::default())? };
            let there = match all.as_slice() {
                [] => "it shows none".to_owned(),
                all => format!("it has {}", objects::names(all)),
            };
            let hint = if token.info.login_required() && !logged_in {
                format!(
                    "PIN needed? Without it a token hides its private keys: name a file that holds it ({}), or set \
                     AWS_IOT_PIN",
                    Setting::PinFile
                )
            } else {
                format!("{} shows what is on the token", Setting::TokenListing)
            };
            Err(problem(format!("no {wanted} on the {token}: {there}"), Some(&hint), None))
        }
    }
}

/// The certificates on the token that go by the key's name, each a chain of its own.
fn certificates_of(
    session: &Session,
    token: &Token,
    key: &Name,
) -> Result<Vec<Vec<CertificateDer<'static>>>, Error> {
    let all = objects::certificates(session)
        .map_err(|error| token.problem("does not tell its certificates", None, error))?;
    let chains: Vec<_> = all
        .into_iter()
        .filter(|certificate| certificate.name.is_of(key))
        .map(|found| vec![found.der])
        .collect();
    if chains.is_empty() {
        return Err(problem(
            format!("the {token} has no certificate for the private key {key}"),
            Some(&format!(
                "name the certificate's file ({}), or store it on the token with the ID of the key",
                Setting::Certificate
            )),
            None,
        ));
    }
    Ok(chains)
}

/// The key as rustls uses it with this certificate; `None` when the certificate is another key's.
fn signing_key(
    key: &Arc<TokenKey>,
    chain: &[CertificateDer<'static>],
    offered: impl Fn(&Method) -> bool,
) -> Result<Option<TokenSigningKey>, Error> {
    let Some((certificate, public_key)) =
        chain.first().and_then(|leaf| PublicKey::of(leaf).map(|public_key| (leaf, public_key)))
    else {
        return Err(problem(
            "the client certificate has no key that TLS can use".to_owned(),
            Some("RSA keys of 2048 to 8192 bits, and EC keys on P-256, P-384 or P-521, are supported"),
            None,
        ));
    };
    let (mut methods, mut failure) = (Vec::new(), None);
    for method in public_key.methods().iter().filter(|method| offered(method)) {
        let Some(&scheme) = method.schemes.first() else { continue };
        match key.sign_raw(scheme, PROBE).map(|signature| scheme::encode(scheme, signature)) {
            Ok(Some(signature)) if scheme::verifies(certificate, scheme, PROBE, &signature) => {
                methods.push(*method)
            }
            Ok(_) => return Ok(None),
            // Some tokens list what this key, or a digest that was made elsewhere, cannot be used for.
            Err(error) => {
                log::debug!("PKCS#11: {:?} cannot be used: {error:?}", method.mechanism);
                failure = Some(error);
            }
        }
    }
    match (methods.is_empty(), failure) {
        (false, _) => Ok(Some(TokenSigningKey { key: Arc::clone(key), public_key, methods })),
        (true, Some(failure)) => Err(failure),
        (true, None) => Err(problem(
            "the token has no mechanism to sign with: neither CKM_ECDSA for EC keys, nor CKM_RSA_PKCS or \
             CKM_RSA_PKCS_PSS for RSA keys"
                .to_owned(),
            None,
            None,
        )),
    }
}
