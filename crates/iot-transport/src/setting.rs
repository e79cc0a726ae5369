//! Names of settings in messages and advice.

use std::fmt;
use std::sync::OnceLock;

/// A setting as errors, advice and the record of a connection name it, in words of this library until the program has
/// [words of its own](Setting::name_by).
///
/// The crates above have their settings in here too: a program has one set of names.
///
/// ```
/// use iot_transport::Setting;
///
/// assert_eq!(Setting::CaFile.to_string(), "the CA file setting");
/// Setting::name_by(|setting| match setting {
///     Setting::CaFile => "ca_file in device.toml",
///     other => other.name(),
/// });
/// assert_eq!(Setting::CaFile.to_string(), "ca_file in device.toml");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Setting {
    CaFile,
    Certificate,
    CognitoIdentity,
    CognitoPool,
    Ipv6,
    KeyId,
    KeyLabel,
    Login,
    MqttVersion,
    NoProxy,
    PinFile,
    Pkcs11Uri,
    Pkcs12File,
    Port,
    Proxy,
    ProxyCaFile,
    ProxyUserFile,
    Region,
    SlotId,
    ThingName,
    /// A list of the tokens and what is on them, which is a request rather than a setting.
    TokenListing,
}

/// One for the process, as the program has one user: an error does not know who will show it.
static NAMES: OnceLock<fn(Setting) -> &'static str> = OnceLock::new();

impl Setting {
    /// Makes this process name settings as the program's user knows them, such as by flags. The first call counts; texts
    /// that exist already keep their words.
    pub fn name_by(names: fn(Setting) -> &'static str) {
        // Another caller was faster.
        let _ = NAMES.set(names);
    }

    /// The library's own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CaFile => "the CA file setting",
            Self::Certificate => "the certificate setting",
            Self::CognitoIdentity => "the Cognito identity setting",
            Self::CognitoPool => "the Cognito identity pool setting",
            Self::Ipv6 => "the IPv6 setting",
            Self::KeyId => "the key ID setting",
            Self::KeyLabel => "the key label setting",
            Self::Login => "the login setting",
            Self::MqttVersion => "MQTT version",
            Self::NoProxy | Self::Proxy => "the proxy setting",
            Self::PinFile => "the PIN file setting",
            Self::Pkcs11Uri => "the PKCS#11 URI setting",
            Self::Pkcs12File => "the PKCS#12 file setting",
            Self::Port => "port",
            Self::ProxyCaFile => "the proxy CA file setting",
            Self::ProxyUserFile => "the proxy user file setting",
            Self::Region => "the region setting",
            Self::SlotId => "the slot ID setting",
            Self::ThingName => "the thing name setting",
            Self::TokenListing => "the token listing",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.get().map_or_else(|| self.name(), |names| names(*self));
        f.write_str(name)
    }
}
