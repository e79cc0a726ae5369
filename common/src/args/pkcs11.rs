use std::env;
use std::fmt::Display;
use std::path::PathBuf;

use clap::Args;
use iot_client::Auth;
use iot_transport::pkcs11::{KeySelector, Pkcs11Uri, TokenSelector, UriPin};
use iot_transport::{Identity, Listing, Pkcs11Options};
use secrecy::{ExposeSecret, SecretString};

use super::error::usage;
use super::secret::Secret;
use crate::error::Error;

const PIN: Secret = Secret { what: "PIN of the PKCS#11 token", flag: "--pin", variable: "AWS_IOT_PIN" };

/// Names the library where no flag and no URI does.
const LIBRARY: &str = "AWS_IOT_PKCS11_LIB";

/// Mutual TLS with a private key on a PKCS#11 token. The flags go with [`ConnectionArgs`](super::ConnectionArgs) and
/// [`OutputArgs`](super::OutputArgs), which `--list` has no use for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "PKCS#11")]
pub struct Pkcs11Args {
    /// The PKCS#11 library of the token's maker [env: AWS_IOT_PKCS11_LIB].
    #[arg(long, value_name = "FILE", alias = "pkcs11_lib")]
    pub pkcs11_lib: Option<PathBuf>,

    /// Token and key as a URI (RFC 7512), such as `pkcs11:token=my-token;object=my-key`.
    #[arg(long, value_name = "URI", alias = "pkcs11_uri")]
    pub pkcs11_uri: Option<SecretString>,

    /// The token's label; needed where there are several tokens.
    #[arg(long, value_name = "LABEL", alias = "token_label")]
    pub token_label: Option<String>,

    /// The ID of the slot that the token is in, as --list shows it.
    #[arg(long, value_name = "ID", alias = "slot_id")]
    pub slot_id: Option<u64>,

    /// The private key's label; needed where the token has several keys.
    #[arg(long, value_name = "LABEL", alias = "key_label")]
    pub key_label: Option<String>,

    /// The private key's ID, in hexadecimal digits.
    #[arg(long, value_name = "HEX", alias = "key_id", value_parser = parse_id)]
    pub key_id: Option<KeyId>,

    /// The token's user PIN; better in a file, because flags show in process lists [env: AWS_IOT_PIN].
    #[arg(long)]
    pub pin: Option<SecretString>,

    /// A file that holds the PIN.
    #[arg(long, value_name = "FILE", alias = "pin_file", conflicts_with = "pin")]
    pub pin_file: Option<PathBuf>,

    /// The client certificate, followed by any intermediates (PEM) [default: the one on the token with the key's ID].
    #[arg(long, value_name = "FILE", aliases = ["cert-file", "cert_file"])]
    pub cert: Option<PathBuf>,

    /// Show slots, tokens, certificates and, with the PIN, private keys, and connect to nothing.
    #[arg(long, conflicts_with_all = ["ConnectionArgs", "cert", "json", "timeline", "key_label", "key_id"])]
    pub list: bool,
}

/// The ID of an object on a token (CKA_ID).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(Vec<u8>);

/// What the flags, the URI and the environment say together.
#[derive(Debug, Clone)]
pub struct Pkcs11Settings {
    options: Pkcs11Options,
    pin: PinSource,
}

/// Where the PIN is, in the order in which it is looked for.
#[derive(Debug, Clone)]
enum PinSource {
    Uri(UriPin),
    /// The environment if neither flag was given.
    Flags {
        value: Option<SecretString>,
        file: Option<PathBuf>,
    },
}

impl Pkcs11Args {
    /// Puts flags, URI and environment together.
    ///
    /// # Errors
    ///
    /// A URI that cannot be read, flags that contradict it, no library; `exit()` on the error shows it and ends the
    /// process with code 2.
    pub fn settings(&self) -> Result<Pkcs11Settings, clap::Error> {
        let uri = match &self.pkcs11_uri {
            // clap would show the whole value, which may hold the PIN.
            Some(uri) => Pkcs11Uri::parse(uri.expose_secret())
                .map_err(|error| usage(format!("invalid value for '--pkcs11-uri <URI>': {error}")))?,
            None => Pkcs11Uri::default(),
        };
        let from_environment = || env::var_os(LIBRARY).filter(|path| !path.is_empty()).map(PathBuf::from);
        let show = |path: &PathBuf| path.display().to_string();
        let Some(module) = either("--pkcs11-lib", &self.pkcs11_lib, "module-path", uri.module, show)?
            .or_else(from_environment)
        else {
            return Err(usage(format!(
                "--pkcs11-lib (or {LIBRARY}) is needed: the library of the token's maker"
            )));
        };
        let token = TokenSelector {
            label: either("--token-label", &self.token_label, "token", uri.token.label, String::clone)?,
            slot_id: either("--slot-id", &self.slot_id, "slot-id", uri.token.slot_id, u64::to_string)?,
            ..uri.token
        };
        let own_id = self.key_id.as_ref().map(|KeyId(id)| id.clone());
        let key = KeySelector {
            label: either("--key-label", &self.key_label, "object", uri.key.label, String::clone)?,
            id: either("--key-id", &own_id, "id", uri.key.id, |id| hex::encode(id))?,
        };
        let pin = match (uri.pin, self.pin.is_some() || self.pin_file.is_some()) {
            (Some(_), true) => {
                return Err(usage("the PIN is given twice: by a flag and by --pkcs11-uri"));
            }
            (Some(pin), false) => PinSource::Uri(pin),
            (None, _) => PinSource::Flags { value: self.pin.clone(), file: self.pin_file.clone() },
        };
        let mut options = Pkcs11Options::new(module);
        (options.token, options.key, options.certificate) = (token, key, self.cert.clone());
        Ok(Pkcs11Settings { options, pin })
    }
}

impl Pkcs11Settings {
    /// Loads the library, logs in to the token and finds the key and its certificate. A PIN that is needed and was
    /// given nowhere is asked for on the terminal.
    ///
    /// # Errors
    ///
    /// Those of [`Identity::from_pkcs11`], and [`iot_transport::Error::File`] for the PIN's file.
    pub fn auth(&self) -> Result<Auth, Error> {
        let identity = Identity::from_pkcs11(&self.options, || match self.given_pin()? {
            Some(pin) => Ok(Some(pin)),
            None => Ok(not_empty(PIN.ask("PIN of the PKCS#11 token")?)?),
        })?;
        Ok(Auth::MutualTls(identity))
    }

    /// What there is; with private keys if a PIN was given.
    ///
    /// # Errors
    ///
    /// Those of [`Pkcs11Options::list`], and [`iot_transport::Error::File`] for the PIN's file.
    pub fn listing(&self) -> Result<Listing, Error> {
        Ok(self.options.list(self.given_pin()?.as_ref())?)
    }

    fn given_pin(&self) -> Result<Option<SecretString>, Error> {
        not_empty(match &self.pin {
            PinSource::Uri(UriPin::Value(pin)) => Some(pin.clone()),
            PinSource::Uri(UriPin::File(file)) => PIN.find(None, Some(file))?,
            PinSource::Flags { value, file } => PIN.find(value.as_ref(), file.as_deref())?,
        })
    }
}

/// No token has an empty PIN, and to try it costs one of a few attempts.
fn not_empty(pin: Option<SecretString>) -> Result<Option<SecretString>, Error> {
    match pin {
        Some(pin) if pin.expose_secret().is_empty() => {
            Err(Error::Settings(format!("the {} is empty: it was not tried", PIN.what)))
        }
        pin => Ok(pin),
    }
}

/// One value from a flag or from an attribute of the URI; both may be given if they agree.
fn either<T: Clone + PartialEq, S: Display>(
    flag: &str,
    given: &Option<T>,
    attribute: &str,
    in_uri: Option<T>,
    show: impl Fn(&T) -> S,
) -> Result<Option<T>, clap::Error> {
    match (given, in_uri) {
        (Some(given), Some(in_uri)) if *given != in_uri => Err(usage(format!(
            "{flag} {} contradicts {attribute} in --pkcs11-uri, which is {}",
            show(given),
            show(&in_uri)
        ))),
        (given, in_uri) => Ok(given.clone().or(in_uri)),
    }
}

fn parse_id(text: &str) -> Result<KeyId, String> {
    // pkcs11-tool and others print colons.
    match hex::decode(text.replace(':', "")) {
        Ok(id) if !id.is_empty() => Ok(KeyId(id)),
        _ => Err("expected pairs of hexadecimal digits, such as 01ab".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{ConnectionArgs, OutputArgs};
    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        connection: Option<ConnectionArgs>,
        #[command(flatten)]
        pkcs11: Pkcs11Args,
        #[command(flatten)]
        _output: OutputArgs,
    }

    fn settings(flags: &[&str]) -> Result<Pkcs11Settings, String> {
        let words = ["x", "--endpoint", "localhost"].iter().chain(flags);
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        cli.pkcs11.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn an_endpoint_is_needed_unless_something_is_listed() {
        let cli = |flags: &[&str]| Cli::try_parse_from(["x", "--pkcs11-lib", "m"].iter().chain(flags));
        assert!(cli(&["--list"]).expect("valid").connection.is_none());
        assert!(cli(&["--endpoint", "a"]).expect("valid").connection.is_some());
        assert!(cli(&["--list", "--timeline"]).is_err());
        assert!(cli(&[]).expect_err("no endpoint").to_string().contains("--endpoint"));
        assert!(cli(&["--port", "1"]).expect_err("no endpoint").to_string().contains("--endpoint"));
        for flag in [["--endpoint", "a"], ["--port", "1"], ["--cert", "c"], ["--key-id", "01"]] {
            let error = cli(&["--list", flag[0], flag[1]]).expect_err("ignored").to_string();
            assert!(error.contains("cannot be used with"), "{error}");
        }
    }

    #[test]
    fn flags_and_uri_complete_each_other() {
        let uri = "pkcs11:token=t;serial=1;id=%01%ab?module-path=/m";
        let settings =
            settings(&["--pkcs11-uri", uri, "--token-label", "t", "--key_id", "01:AB", "--key-label", "k"])
                .expect("valid");
        let Pkcs11Options { module, token, key, .. } = settings.options;
        assert_eq!(module, PathBuf::from("/m"));
        assert_eq!((token.label.as_deref(), token.serial.as_deref()), (Some("t"), Some("1")));
        assert_eq!(key, KeySelector { label: Some("k".to_owned()), id: Some(vec![1, 0xab]) });
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        for (flags, words) in [
            (["--token-label", "b"], "--token-label b contradicts token in --pkcs11-uri, which is a"),
            (["--slot-id", "2"], "--slot-id 2 contradicts slot-id in --pkcs11-uri, which is 1"),
            (["--key-label", "y"], "--key-label y contradicts object in --pkcs11-uri, which is x"),
            (["--key-id", "02"], "--key-id 02 contradicts id in --pkcs11-uri, which is 01"),
            (["--pkcs11-lib", "/n"], "--pkcs11-lib /n contradicts module-path in --pkcs11-uri, which is /m"),
            (["--pin", "8642"], "the PIN is given twice"),
            (["--key-id", "0"], "hexadecimal"),
        ] {
            let uri = "pkcs11:token=a;slot-id=1;object=x;id=%01?module-path=/m&pin-value=1357";
            let error = settings(&["--pkcs11-uri", uri, flags[0], flags[1]]).expect_err("contradicts");
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("1357") && !error.contains("8642"), "{error}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let uri = "pkcs11:?module-path=/m&pin-value=1357";
        let cli = Cli::try_parse_from(["x", "--endpoint", "a", "--pkcs11-uri", uri]).expect("valid");
        assert!(!format!("{cli:?} {:?}", cli.pkcs11.settings()).contains("1357"));
        let broken = settings(&["--pkcs11-uri", "pkcs11:?pin-value=1357%"]).expect_err("broken");
        assert!(
            broken.contains("invalid value for '--pkcs11-uri <URI>'") && !broken.contains("1357"),
            "{broken}"
        );
    }
}
