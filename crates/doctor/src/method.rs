//! Which way to authenticate the flags are about.

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::{Args, Command, ValueEnum};
use common::args::{CustomAuthArgs, MutualTlsArgs, Pkcs11Args, Pkcs12Args, SigV4Args, WindowsStoreArgs};

/// The ways to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    MutualTls,
    Pkcs12,
    Pkcs11,
    WindowsStore,
    SigV4,
    Custom,
    Nothing,
}

/// No flags, no credentials: the layers below MQTT alone.
#[derive(Debug, Clone, Args)]
pub(crate) struct NoArgs {}

impl Method {
    /// What `--auth` says, or else the method that most of the flags belong to, of several the first.
    ///
    /// A flag of another method is then an unknown one for the parser, as it should be: none is ignored.
    pub(crate) fn of(words: &[OsString]) -> Self {
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let before_end = words.iter().take_while(|word| *word != "--");
        let flags: Vec<_> = before_end.clone().filter_map(|word| word.strip_prefix("--")).collect();
        let after_auth = before_end.skip_while(|word| *word != "--auth").nth(1);
        let value = flags.iter().find_map(|flag| flag.strip_prefix("auth="));
        if let Some(name) = value.or(after_auth.map(AsRef::as_ref)) {
            // The parser complains of an unknown one, whatever else it parses.
            return Self::from_str(name, false).unwrap_or(Self::Nothing);
        }
        let names: Vec<_> = flags.iter().map(|flag| flag.split('=').next().unwrap_or(flag)).collect();
        let given = |method: &Self| {
            let own = method.flags();
            names.iter().filter(|name| own.iter().any(|flag| flag == *name)).count()
        };
        // Of equals this takes the last.
        Self::value_variants().iter().rev().copied().max_by_key(given).unwrap_or(Self::Nothing)
    }

    /// As a report names it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Method::MutualTls => "mutual TLS",
            Method::Pkcs12 => "mutual TLS (PKCS#12)",
            Method::Pkcs11 => "mutual TLS (PKCS#11)",
            Method::WindowsStore => "mutual TLS (Windows certificate store)",
            Method::SigV4 => "WebSocket signed with SigV4",
            Method::Custom => "custom authorizer",
            Method::Nothing => "no way to authenticate",
        }
    }

    /// Whether a client certificate is the proof of who we are.
    pub(crate) fn has_certificate(self) -> bool {
        matches!(self, Method::MutualTls | Method::Pkcs12 | Method::Pkcs11 | Method::WindowsStore)
    }

    /// The port where none is given; there is an [`Auth`](iot_client::Auth) to say it only if its files can be read.
    pub(crate) fn usual_port(self) -> u16 {
        if self.has_certificate() { 8883 } else { 443 }
    }

    /// The flags that belong to it, with their aliases.
    fn flags(self) -> Vec<String> {
        match self {
            Method::MutualTls => flags_of::<MutualTlsArgs>(),
            Method::Pkcs12 => flags_of::<Pkcs12Args>(),
            Method::Pkcs11 => flags_of::<Pkcs11Args>(),
            Method::WindowsStore => flags_of::<WindowsStoreArgs>(),
            Method::SigV4 => flags_of::<SigV4Args>(),
            Method::Custom => flags_of::<CustomAuthArgs>(),
            Method::Nothing => Vec::new(),
        }
    }
}

fn flags_of<A: Args>() -> Vec<String> {
    let command = A::augment_args(Command::new("flags"));
    let names = command.get_arguments().flat_map(|argument| {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument.get_long().into_iter().chain(aliases).map(str::to_owned).collect::<Vec<_>>()
    });
    names.collect()
}

impl ValueEnum for Method {
    /// Without flags of any method the first one counts.
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Method::Nothing,
            Method::MutualTls,
            Method::Pkcs12,
            Method::Pkcs11,
            Method::WindowsStore,
            Method::SigV4,
            Method::Custom,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Method::MutualTls => ("mtls", "A client certificate and its private key, in PEM files"),
            Method::Pkcs12 => ("pkcs12", "The same from a PKCS#12 file"),
            Method::Pkcs11 => ("pkcs11", "The same with the key on a PKCS#11 token"),
            Method::WindowsStore => ("windows", "The same from the certificate store of Windows"),
            Method::SigV4 => ("sigv4", "AWS credentials, which sign a WebSocket"),
            Method::Custom => ("custom", "A custom authorizer"),
            Method::Nothing => ("none", "The layers below MQTT alone"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Method {
        Method::of(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_flags_tell_the_method() {
        for (words, method) in [
            (&["--endpoint", "e", "--topic", "t"][..], Method::Nothing),
            (&["--cert", "c", "--key", "k"], Method::MutualTls),
            (&["--cert=c"], Method::MutualTls),
            (&["--pkcs11_lib", "l", "--cert", "c"], Method::Pkcs11),
            (&["--pkcs12-file=f"], Method::Pkcs12),
            (&["--cert-store", "s"], Method::WindowsStore),
            (&["--signing-region", "r"], Method::SigV4),
            (&["--cognito-identity", "i"], Method::SigV4),
            (&["--custom_auth_username", "u", "--websocket"], Method::Custom),
            (&["--auth", "sigv4"], Method::SigV4),
            (&["--auth=custom", "--cert", "c"], Method::Custom),
            (&["--auth", "unknown"], Method::Nothing),
            (&["--", "--cert"], Method::Nothing),
        ] {
            assert_eq!(of(words), method, "{words:?}");
        }
    }
}
