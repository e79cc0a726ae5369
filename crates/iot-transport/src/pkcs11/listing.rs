//! What there is: slots, tokens, keys and certificates, as a table for people.

use std::fmt;

use cryptoki::session::Session;
use cryptoki::slot::TokenInfo;
use secrecy::SecretString;

use super::Pkcs11Options;
use super::failure::cause;
use super::module::{Module, Token};
use super::objects::{self, Name};
use super::selector::KeySelector;
use crate::error::Error;
use crate::text::one_line;
use crate::x509;

/// The slots of a library, the tokens in them, and the keys and certificates on those tokens. Its `Display` is a
/// table for each.
#[derive(Debug)]
pub struct Listing {
    library: String,
    slots: Vec<Vec<String>>,
    tokens: Vec<Contents>,
}

/// What is on one token.
#[derive(Debug)]
struct Contents {
    token: String,
    objects: Vec<Vec<String>>,
    /// Whether the token may hold private keys that it has not shown.
    hides_keys: bool,
}

impl Pkcs11Options {
    /// Lists what there is. With a PIN, private keys are listed, too, of the one token that fits the options: the PIN
    /// is shown to no other, and to none if several fit.
    ///
    /// # Errors
    /// [`Error::Identity`] when the library cannot be used, or the PIN is wrong; there is one attempt.
    pub fn list(&self, pin: Option<&SecretString>) -> Result<Listing, Error> {
        let module = Module::load(&self.module)?;
        let mut tokens = module.tokens()?;
        tokens.sort_by_key(|token| token.slot.id());
        let fitting = tokens.iter().filter(|token| self.token.fits(token.slot, &token.info)).count();
        if pin.is_some() && fitting != 1 {
            log::warn!("PKCS#11: the PIN is for one token, and {fitting} fit: it is not used");
        }
        let mut contents = Vec::new();
        for token in &tokens {
            let for_this = pin.filter(|_| fitting == 1 && self.token.fits(token.slot, &token.info));
            contents.push(contents_of(&module, token, for_this)?);
        }
        Ok(Listing { library: library(&module), slots: slots(&module, &tokens), tokens: contents })
    }
}

fn library(module: &Module) -> String {
    let path = module.path().display();
    match module.context().get_library_info() {
        Ok(info) => format!(
            "{} {}.{} by {}, {path}",
            info.library_description(),
            info.library_version().major(),
            info.library_version().minor(),
            info.manufacturer_id()
        ),
        Err(error) => format!("{path} ({})", cause(error)),
    }
}

fn slots(module: &Module, tokens: &[Token]) -> Vec<Vec<String>> {
    let mut rows = vec![row(["SLOT", "TOKEN", "MODEL", "SERIAL NUMBER", "MANUFACTURER", "FLAGS"])];
    let mut all = module.context().get_all_slots().unwrap_or_default();
    all.sort_by_key(|slot| slot.id());
    for slot in all {
        rows.push(match tokens.iter().find(|token| token.slot == slot) {
            Some(Token { info, .. }) => vec![
                slot.to_string(),
                format!("{:?}", info.label()),
                info.model().to_owned(),
                info.serial_number().to_owned(),
                info.manufacturer_id().to_owned(),
                flags(info),
            ],
            None => vec![slot.to_string(), "(no initialized token)".to_owned()],
        });
    }
    rows
}

fn flags(token: &TokenInfo) -> String {
    let flags = [
        (token.login_required(), "login required"),
        (!token.user_pin_initialized(), "no PIN set"),
        (token.protected_authentication_path(), "PIN pad"),
        (token.user_pin_count_low(), "PIN count low"),
        (token.user_pin_final_try(), "last PIN attempt"),
        (token.user_pin_locked(), "PIN locked"),
        (token.user_pin_to_be_changed(), "PIN to be changed"),
        (token.write_protected(), "write protected"),
        (token.error_state(), "in error"),
    ];
    let set: Vec<_> = flags.into_iter().filter_map(|(set, name)| set.then_some(name)).collect();
    set.join(", ")
}

fn contents_of(module: &Module, token: &Token, pin: Option<&SecretString>) -> Result<Contents, Error> {
    // A PIN pad would ask whoever only wants to see what there is.
    let session = match pin {
        Some(_) => module.open(token, pin)?,
        None => module.open_public(token)?,
    };
    let mut objects =
        objects(&session).map_err(|error| token.problem("does not tell what is on it", None, error))?;
    objects.sort();
    let mut rows = vec![row(["OBJECT", "LABEL", "ID", "WHAT"])];
    rows.extend(objects);
    Ok(Contents {
        token: token.to_string(),
        objects: rows,
        hides_keys: token.info.login_required() && pin.is_none(),
    })
}

fn objects(session: &Session) -> cryptoki::error::Result<Vec<Vec<String>>> {
    let named = |object: &str, name: &Name, what: String| {
        vec![object.to_owned(), format!("{:?}", name.label), hex::encode(&name.id), what]
    };
    let mut rows = Vec::new();
    for key in objects::private_keys(session, &KeySelector::default())? {
        rows.push(named("private key", &key.name, objects::kind(&key)));
    }
    for certificate in objects::certificates(session)? {
        let subject = x509::parse(&certificate.der)
            .map_or("cannot be read".to_owned(), |parsed| parsed.subject().to_string());
        rows.push(named("certificate", &certificate.name, subject));
    }
    Ok(rows)
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Library: {}\n", one_line(&self.library))?;
        table(f, &self.slots)?;
        for Contents { token, objects, hides_keys } in &self.tokens {
            writeln!(f, "\nOn the {}:", one_line(token))?;
            table(f, objects)?;
            if *hides_keys {
                writeln!(f, "Private keys may be hidden: they are shown with the PIN.")?;
            }
        }
        Ok(())
    }
}

/// Columns as wide as their widest cell, two spaces apart.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let rows = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>());
    let rows = rows.collect::<Vec<_>>();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(&format!("{cell:<0$}  ", width(column)));
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(ToOwned::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_a_token_cannot_control_the_terminal() {
        let foreign = "a\x1b[2J\nb\u{202e}";
        let contents = Contents {
            token: foreign.to_owned(),
            objects: vec![row(["OBJECT"]), row([foreign])],
            hides_keys: false,
        };
        let listing = Listing {
            library: foreign.to_owned(),
            slots: vec![row(["SLOT", "TOKEN"]), row(["0", foreign])],
            tokens: vec![contents],
        };
        let shown = r"a\u{1b}[2J\nb\u{202e}";
        assert_eq!(
            listing.to_string(),
            format!("Library: {shown}\n\nSLOT  TOKEN\n0     {shown}\n\nOn the {shown}:\nOBJECT\n{shown}\n")
        );
    }
}
