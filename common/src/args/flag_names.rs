//! The flag of each setting that errors and hints name.

use iot_transport::Setting;

/// Makes the errors, hints and timelines of this process name flags where they name a setting. [`parse`](super::parse) does
/// so by itself.
pub fn name_flags() {
    Setting::name_by(flag);
}

pub(super) fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::CaFile => "--ca-file",
        Setting::Certificate => "--cert",
        Setting::CognitoIdentity => "--cognito-identity",
        Setting::CognitoPool => "--cognito-identity-pool",
        Setting::Ipv6 => "--ipv6",
        Setting::KeyId => "--key-id",
        Setting::KeyLabel => "--key-label",
        Setting::Login => "--login-file PROVIDER=FILE",
        Setting::MqttVersion => "--mqtt-version",
        Setting::NoProxy => "--no-proxy",
        Setting::PinFile => "--pin-file",
        Setting::Pkcs11Uri => "--pkcs11-uri",
        Setting::Pkcs12File => "--pkcs12-file",
        Setting::Port => "--port",
        Setting::Proxy => "--proxy",
        Setting::ProxyCaFile => "--proxy-ca-file",
        Setting::ProxyUserFile => "--proxy-user-file",
        Setting::Region => "--region",
        Setting::SlotId => "--slot-id",
        Setting::ThingName => "--x509-thing-name",
        Setting::TokenListing => "--list",
    }
}
