//! What a command pasted from the documentation of the official SDKs needs.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Args, Command};
use iot_transport::Setting;
use secrecy::SecretString;

use super::flag_names::flag;
use super::*;

fn flags<A: Args>() -> Vec<Arg> {
    A::augment_args(Command::new("sample")).get_arguments().cloned().collect()
}

/// Each name that a group's flags have, and the flag's own.
fn names<A: Args>() -> BTreeMap<String, String> {
    let of = |argument: Arg| {
        let own = argument.get_long().expect("there are flags only").to_owned();
        let aliases = argument.get_all_aliases().unwrap_or_default();
        let all = [&[&*own], &aliases[..]].concat();
        all.iter().map(|name| ((*name).to_owned(), own.clone())).collect::<Vec<_>>()
    };
    flags::<A>().into_iter().flat_map(of).collect()
}

fn groups() -> [BTreeMap<String, String>; 13] {
    [
        names::<ConnectionArgs>(),
        names::<OutputArgs>(),
        names::<MutualTlsArgs>(),
        names::<Pkcs11Args>(),
        names::<Pkcs12Args>(),
        names::<WindowsStoreArgs>(),
        names::<SigV4Args>(),
        names::<CustomAuthArgs>(),
        names::<DeviceOrIamArgs>(),
        names::<SessionArgs>(),
        names::<PublishArgs>(),
        names::<PatientConnectionArgs>(),
        names::<SharedArgs>(),
    ]
}

#[test]
fn each_name_works_in_kebab_and_in_snake_case() {
    for names in groups() {
        for (name, flag) in &names {
            for other in [name.replace('-', "_"), name.replace('_', "-")] {
                assert_eq!(names.get(&other), Some(flag), "--{other}, as there is --{name}");
            }
        }
    }
}

#[test]
fn the_names_of_the_official_samples_work() {
    let [
        connection,
        output,
        mutual_tls,
        pkcs11,
        pkcs12,
        windows,
        sigv4,
        custom_auth,
        socks5,
        _,
        publish,
        _,
        shared,
    ] = groups();
    for (group, flag, official) in [
        (&connection, "endpoint", &["endpoint", "broker-host"][..]),
        (&connection, "client-id", &["client_id"]),
        (&connection, "ca-file", &["ca_file"]),
        (&connection, "port", &["port", "port_override", "broker-port"]),
        (&connection, "proxy", &["proxy"]),
        (&connection, "proxy-host", &["proxy_host"]),
        (&connection, "proxy-port", &["proxy_port"]),
        (&connection, "proxy-user-name", &["proxy_user_name"]),
        (&connection, "proxy-password", &["proxy_password"]),
        (&connection, "ipv6", &["ipv6"]),
        (&publish, "topic", &["topic"]),
        (&publish, "message", &["message"]),
        (&publish, "count", &["count"]),
        (&shared, "topic", &["topic"]),
        (&shared, "message", &["message"]),
        (&shared, "count", &["count"]),
        (&shared, "group-identifier", &["group_identifier"]),
        (&socks5, "websocket", &["websocket"]),
        (&socks5, "cert", &["cert"]),
        (&socks5, "key", &["key"]),
        (&socks5, "secret", &["secret-key"]),
        (&output, "verbosity", &["verbosity"]),
        (&mutual_tls, "cert", &["cert"]),
        (&mutual_tls, "key", &["key"]),
        (&pkcs11, "cert", &["cert"]),
        (&pkcs11, "pkcs11-lib", &["pkcs11_lib"]),
        (&pkcs11, "pin", &["pin"]),
        (&pkcs11, "token-label", &["token_label"]),
        (&pkcs11, "slot-id", &["slot_id"]),
        (&pkcs11, "key-label", &["key_label"]),
        (&pkcs12, "pkcs12-file", &["pkcs12_file"]),
        (&pkcs12, "pkcs12-password", &["pkcs12_password"]),
        (&windows, "cert-store", &["cert"]),
        (&sigv4, "region", &["region", "signing_region"]),
        (&sigv4, "access-key", &["access-key", "access_key_id"]),
        (&sigv4, "secret", &["secret", "secret-key", "secret_access_key"]),
        (&sigv4, "session-token", &["session-token"]),
        (&sigv4, "credential-source", &["credential-source"]),
        (&sigv4, "profile", &["profile"]),
        (&sigv4, "config-file", &["config-file"]),
        (&sigv4, "credentials-file", &["credentials-file"]),
        (&sigv4, "cognito-identity", &["cognito_identity"]),
        (&sigv4, "x509-endpoint", &["x509_endpoint"]),
        (&sigv4, "x509-role-alias", &["x509_role_alias"]),
        (&sigv4, "x509-thing-name", &["x509_thing_name"]),
        (&sigv4, "x509-cert", &["x509_cert"]),
        (&sigv4, "x509-key", &["x509_key"]),
        (&sigv4, "x509-ca-file", &["x509_ca_file"]),
        (&custom_auth, "authorizer-name", &["authorizer_name", "custom_auth_authorizer_name"]),
        (&custom_auth, "auth-username", &["auth_username", "authorizer-username", "custom_auth_username"]),
        (&custom_auth, "auth-password", &["auth_password", "authorizer-password", "custom_auth_password"]),
        (
            &custom_auth,
            "auth-token-key-name",
            &["auth_token_key_name", "token-key-name", "custom_auth_token_name"],
        ),
        (
            &custom_auth,
            "auth-token-value",
            &["auth_token_key_value", "token-value", "custom_auth_token_value"],
        ),
        (
            &custom_auth,
            "auth-signature",
            &["auth_signature", "token-signature", "custom_auth_authorizer_signature"],
        ),
    ] {
        for name in official {
            assert_eq!(group.get(*name).map(String::as_str), Some(flag), "--{name}");
        }
    }
}

#[test]
fn errors_name_flags_that_exist() {
    let [connection, _, _, pkcs11, pkcs12, _, sigv4, ..] = groups();
    for (group, setting, named) in [
        (&connection, Setting::CaFile, "--ca-file"),
        (&connection, Setting::Ipv6, "--ipv6"),
        (&connection, Setting::MqttVersion, "--mqtt-version"),
        (&connection, Setting::NoProxy, "--no-proxy"),
        (&connection, Setting::Port, "--port"),
        (&connection, Setting::Proxy, "--proxy"),
        (&connection, Setting::ProxyCaFile, "--proxy-ca-file"),
        (&connection, Setting::ProxyUserFile, "--proxy-user-file"),
        (&pkcs11, Setting::Certificate, "--cert"),
        (&pkcs11, Setting::KeyId, "--key-id"),
        (&pkcs11, Setting::KeyLabel, "--key-label"),
        (&pkcs11, Setting::PinFile, "--pin-file"),
        (&pkcs11, Setting::Pkcs11Uri, "--pkcs11-uri"),
        (&pkcs11, Setting::SlotId, "--slot-id"),
        (&pkcs11, Setting::TokenListing, "--list"),
        (&pkcs12, Setting::Pkcs12File, "--pkcs12-file"),
        (&sigv4, Setting::CognitoIdentity, "--cognito-identity"),
        (&sigv4, Setting::CognitoPool, "--cognito-identity-pool"),
        (&sigv4, Setting::Login, "--login-file"),
        (&sigv4, Setting::Region, "--region"),
        (&sigv4, Setting::ThingName, "--x509-thing-name"),
    ] {
        let words = flag(setting);
        assert_eq!(words.split(' ').next(), Some(named), "{setting:?}");
        assert!(group.contains_key(named.trim_start_matches('-')), "{named}");
    }
}

#[test]
fn each_secret_can_be_in_a_file_or_the_environment() {
    let mut secrets = BTreeSet::new();
    for flags in [
        flags::<MutualTlsArgs>(),
        flags::<DeviceOrIamArgs>(),
        flags::<Pkcs11Args>(),
        flags::<Pkcs12Args>(),
        flags::<SigV4Args>(),
        flags::<CustomAuthArgs>(),
    ] {
        let named = |name: &str| flags.iter().any(|flag| flag.get_long() == Some(name));
        for flag in &flags {
            if flag.get_value_parser().type_id() != TypeId::of::<SecretString>() {
                continue;
            }
            let name = flag.get_long().unwrap_or_default();
            // It may hold a PIN, which has flags of its own.
            if name == "pkcs11-uri" {
                continue;
            }
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(named(&format!("{name}-file")), "--{name}");
            assert!(help.contains("[env: AWS_"), "--{name}: {help}");
            secrets.insert(name.to_owned());
        }
    }
    let expected = [
        "key-password",
        "pin",
        "pkcs12-password",
        "secret",
        "session-token",
        "login",
        "x509-key-password",
        "auth-password",
        "auth-token-value",
        "auth-signature",
    ];
    assert_eq!(secrets, BTreeSet::from(expected.map(str::to_owned)));
}
