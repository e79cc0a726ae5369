//! How each sample is pointed at the sandbox: its flags and environment, from `sandbox.json`.

use std::env;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::private_sandbox::State;
use crate::{hint, token};

/// What a sample needs to connect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Flags with their values.
    flags: Vec<(&'static str, String)>,
    /// Credentials, as an argument would show in the process list, and what has no flag.
    variables: Vec<(&'static str, String)>,
    /// The user's own variables that reach the sample, for they go with a flag of the user's own.
    inherited: Vec<&'static str>,
}

/// Names that samples take for one flag, beside its own; the first is ours (the official samples' names, and clap's).
const SAME_FLAG: &[&[&str]] = &[
    &["endpoint", "broker-host"],
    &["port", "port-override", "broker-port"],
    &["cert", "cert-file"],
    &["key", "key-file"],
    &["region", "signing-region"],
    &["access-key", "access-key-id"],
    // Of the two only one may be given.
    &["cognito-identity", "cognito-identity-pool"],
    &["authorizer-name", "custom-auth-authorizer-name"],
    &["auth-username", "authorizer-username", "custom-auth-username"],
    &["auth-password", "authorizer-password", "custom-auth-password"],
    &["auth-token-key-name", "token-key-name", "custom-auth-token-name"],
    &["auth-token-value", "auth-token-key-value", "token-value", "custom-auth-token-value"],
    &["auth-signature", "token-signature", "custom-auth-authorizer-signature"],
];

/// What goes with a flag, and so is the user's own when the flag is: a password is that of one file, a PIN that of one
/// token, which would count ours as a wrong one.
const GOES_WITH: &[(&str, &[&str])] = &[
    ("--key", &["AWS_IOT_KEY_PASSWORD"]),
    ("--x509-key", &["AWS_IOT_KEY_PASSWORD"]),
    ("--cognito-identity", &["AWS_IOT_LOGIN"]),
    ("--pkcs12-file", &["AWS_IOT_PKCS12_PASSWORD"]),
    ("--pkcs12-password", &["AWS_IOT_PKCS12_PASSWORD"]),
    ("--pkcs12-password-file", &["AWS_IOT_PKCS12_PASSWORD"]),
    ("--pkcs11-lib", &["--token-label", "--cert", "AWS_IOT_PIN", "SOFTHSM2_CONF"]),
    ("--pkcs11-uri", &["--pkcs11-lib", "--token-label", "--cert", "AWS_IOT_PIN", "SOFTHSM2_CONF"]),
    ("--pin", &["AWS_IOT_PIN"]),
    ("--pin-file", &["AWS_IOT_PIN"]),
    ("--access-key", &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]),
    (
        "--authorizer-name",
        &[
            "--auth-username",
            "--auth-token-key-name",
            "AWS_IOT_AUTH_PASSWORD",
            "AWS_IOT_AUTH_TOKEN_VALUE",
            "AWS_IOT_AUTH_SIGNATURE",
        ],
    ),
    ("--auth-password", &["AWS_IOT_AUTH_PASSWORD"]),
    ("--proxy", &["AWS_IOT_PROXY_USER"]),
    ("--proxy-user-file", &["AWS_IOT_PROXY_USER"]),
    ("--proxy-host", &["--proxy", "AWS_IOT_PROXY_USER"]),
    ("--no-proxy", &["--proxy", "AWS_IOT_PROXY_USER"]),
    ("--auth-password-file", &["AWS_IOT_AUTH_PASSWORD"]),
    ("--auth-token-value", &["AWS_IOT_AUTH_TOKEN_VALUE"]),
    ("--auth-token-value-file", &["AWS_IOT_AUTH_TOKEN_VALUE"]),
    ("--auth-signature", &["AWS_IOT_AUTH_SIGNATURE"]),
    ("--auth-signature-file", &["AWS_IOT_AUTH_SIGNATURE"]),
];

/// Flags that are at odds with `--list`, which shows what is on a token and connects to nothing.
const CONNECTING: &[&str] = &["--endpoint", "--port", "--ca-file", "--cert"];

impl Connection {
    /// The flags and variables that connect the sample in this folder to the sandbox, beside the user's own flags.
    pub(crate) fn to_sandbox(folder: &str, own: &[String], state: &State) -> Result<Self> {
        let mut connection = Self::default();
        connection.flag("--endpoint", state.value("/endpoint")?);
        match folder {
            "pubsub" | "shared_subscription" => connection.mutual_tls(state)?,
            "http_proxy_connect" => {
                connection.mutual_tls(state)?;
                connection.proxy(&state.value("/proxies/http_auth")?)?;
            }
            "socks5_connect" => {
                match own.iter().any(|flag| same_flag(flag, "--websocket")) {
                    true => connection.signature("--region", state)?,
                    false => connection.mutual_tls(state)?,
                }
                connection.proxy(&state.value("/proxies/socks5_auth")?)?;
            }
            "pkcs12_connect" => {
                connection.flag("--port", state.value("/mqtt_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                connection.flag("--pkcs12-file", state.value("/device/pkcs12_file")?);
                connection.variable("AWS_IOT_PKCS12_PASSWORD", state.value("/device/pkcs12_password")?);
            }
            "pkcs11_connect" => {
                connection.flag("--port", state.value("/mqtt_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                connection.flag("--cert", state.value("/device/cert_file")?);
                connection.flag("--pkcs11-lib", token::library()?.to_owned());
                connection.flag("--token-label", token::LABEL.to_owned());
                connection.variable("AWS_IOT_PIN", token::PIN.to_owned());
                connection.variable("SOFTHSM2_CONF", token::config(state)?.display().to_string());
            }
            "sigv4_connect" => connection.signature("--region", state)?,
            "websocket_connect" => connection.signature("--signing-region", state)?,
            "cognito_connect" => {
                connection.flag("--port", state.value("/https_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                connection.flag("--region", state.value("/region")?);
                connection.flag("--cognito-identity", state.value("/cognito/identity_id")?);
                connection.variable("AWS_ENDPOINT_URL_COGNITO_IDENTITY", state.value("/cognito/endpoint")?);
            }
            "x509_credentials_connect" => {
                connection.flag("--port", state.value("/https_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                connection.flag("--region", state.value("/region")?);
                connection.flag("--x509-endpoint", state.value("/credentials_provider/endpoint")?);
                connection.flag("--x509-role-alias", state.value("/credentials_provider/role_alias")?);
                connection.flag("--x509-thing-name", state.value("/device/thing_name")?);
                connection.flag("--x509-cert", state.value("/device/cert_file")?);
                connection.flag("--x509-key", state.value("/device/key_file")?);
            }
            "custom_auth_connect" => {
                connection.flag("--port", state.value("/https_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                let signed = "/authorizers/signed";
                connection.flag("--authorizer-name", state.value(&format!("{signed}/name"))?);
                connection.flag("--auth-username", state.value(&format!("{signed}/username"))?);
                connection.flag("--auth-token-key-name", state.value(&format!("{signed}/token_key_name"))?);
                connection.variable("AWS_IOT_AUTH_PASSWORD", state.value(&format!("{signed}/password"))?);
                connection
                    .variable("AWS_IOT_AUTH_TOKEN_VALUE", state.value(&format!("{signed}/token_value"))?);
                connection
                    .variable("AWS_IOT_AUTH_SIGNATURE", state.value(&format!("{signed}/token_signature"))?);
            }
            _ => {
                return Err(hint::error(
                    format!("xtask does not know how to connect the sample `{folder}` to the sandbox"),
                    "add its flags to xtask/src/launch.rs, or give --endpoint and the rest yourself",
                ));
            }
        }
        Ok(connection.give_way_to(own))
    }

    fn mutual_tls(&mut self, state: &State) -> Result<()> {
        self.flag("--port", state.value("/mqtt_port")?);
        self.flag("--ca-file", state.value("/ca_file")?);
        self.flag("--cert", state.value("/device/cert_file")?);
        self.flag("--key", state.value("/device/key_file")?);
        Ok(())
    }

    /// WebSocket, signed with credentials of the environment; `region` is the flag that takes it.
    fn signature(&mut self, region: &'static str, state: &State) -> Result<()> {
        self.flag("--port", state.value("/https_port")?);
        self.flag("--ca-file", state.value("/ca_file")?);
        self.flag(region, state.value("/region")?);
        self.variable("AWS_ACCESS_KEY_ID", state.value("/credentials/access_key_id")?);
        self.variable("AWS_SECRET_ACCESS_KEY", state.value("/credentials/secret_access_key")?);
        self.variable("AWS_SESSION_TOKEN", state.value("/credentials/session_token")?);
        Ok(())
    }

    fn proxy(&mut self, url: &str) -> Result<()> {
        let (proxy, user) = without_user(url)?;
        self.flag("--proxy", proxy);
        self.variable("AWS_IOT_PROXY_USER", user);
        Ok(())
    }

    /// Adds a flag of one's own.
    pub(crate) fn flag(&mut self, name: &'static str, value: String) {
        self.flags.push((name, value));
    }

    /// The same with a flag more, unless it is among the user's `own`.
    pub(crate) fn with(mut self, (name, value): (&'static str, String), own: &[String]) -> Self {
        if !own.iter().any(|flag| same_flag(flag, name)) {
            self.flag(name, value);
        }
        self
    }

    /// The same with a variable more.
    pub(crate) fn with_variable(mut self, (name, value): (&'static str, String)) -> Self {
        self.variable(name, value);
        self
    }

    fn variable(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    /// Leaves out what the user's own flags say otherwise, under whichever name, and what goes with it.
    fn give_way_to(mut self, own: &[String]) -> Self {
        let is_given = |name: &str| own.iter().any(|flag| same_flag(flag, name));
        let users: Vec<_> =
            GOES_WITH.iter().filter(|(flag, _)| is_given(flag)).flat_map(|(_, all)| *all).copied().collect();
        self.flags.retain(|(name, _)| !is_given(name) && !users.contains(name));
        self.variables.retain(|(name, _)| !users.contains(name));
        // Credentials for AWS itself are not for the sandbox.
        self.inherited.extend(users.into_iter().filter(|name| name.starts_with("AWS_IOT_")));
        if own.iter().any(|flag| flag == "--list") {
            self.flags.retain(|(name, _)| !CONNECTING.contains(name));
        }
        self
    }

    /// Sets the flags and a clean environment: the variables above and no other AWS setting or proxy.
    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| is_ambient(name) && !self.inherited.contains(&name)) {
                command.env_remove(&name);
            }
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(self.flags.iter().flat_map(|(name, value)| [*name, value.as_str()]));
    }

    /// The command as a person would write it: file names for paths, and no secret.
    pub(crate) fn in_short(&self, program: &str) -> String {
        let variables = self.variables.iter().map(|(name, _)| format!("{name}=…"));
        let flags = self.flags.iter().map(|(name, value)| {
            let is_url = value.contains("://");
            let short = value.rsplit(['/', '\\']).next().filter(|_| !is_url).unwrap_or(value);
            format!("{name} {short}")
        });
        variables.chain([program.to_owned()]).chain(flags).collect::<Vec<_>>().join(" ")
    }
}

/// Whether the flags name an endpoint, so that no sandbox is wanted.
pub(crate) fn names_endpoint(flags: &[String]) -> bool {
    flags.iter().any(|flag| same_flag(flag, "--endpoint"))
}

/// Whether the flags only ask what there is, so that no sandbox is wanted.
pub(crate) fn asks_for_help(flags: &[String]) -> bool {
    flags.iter().any(|flag| ["--help", "-h", "--version", "-V"].contains(&flag.as_str()))
}

/// Whether the argument `given` is the flag `name`: snake case, `=value` and other accepted names count.
fn same_flag(given: &str, name: &str) -> bool {
    let Some(given) = given.strip_prefix("--") else { return false };
    let given = given.split('=').next().unwrap_or(given).replace('_', "-");
    let name = name.trim_start_matches('-');
    given == name || SAME_FLAG.iter().any(|names| names.contains(&name) && names.contains(&given.as_str()))
}

/// Settings of the user's own that must not reach a sample which talks to the sandbox.
fn is_ambient(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    name.starts_with("AWS_") || name.ends_with("_PROXY")
}

/// A proxy's URL without its user, and `user:password` alone: on a command line they would show in process lists. The
/// sandbox's hold nothing that is percent-encoded.
fn without_user(url: &str) -> Result<(String, String)> {
    let parts = url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    let (scheme, (user, address)) = parts.context("a proxy of sandbox.json has no user")?;
    Ok((format!("{scheme}://{address}"), user.to_owned()))
}

/// The text of a string or a number.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl State {
    /// The value at a JSON pointer of `sandbox.json`.
    pub(crate) fn value(&self, pointer: &str) -> Result<String> {
        self.json().pointer(pointer).and_then(text).with_context(|| {
            format!("sandbox.json has no {}", pointer.trim_start_matches('/').replace('/', "."))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::Workspace;

    fn state() -> State {
        State::from(json!({
            "endpoint": "localhost", "mqtt_port": 8883, "https_port": 8443, "region": "us-east-1",
            "ca_file": "/s/ca.pem",
            "device": {
                "thing_name": "test-1", "cert_file": "/s/device.pem", "key_file": "/s/device.key",
                "pkcs12_file": "/s/device.p12", "pkcs12_password": "hush",
            },
            "cognito": { "endpoint": "https://localhost:8443", "identity_id": "us-east-1:1-2", "identity_pool_id": "p" },
            "credentials_provider": { "endpoint": "localhost:8443", "role_alias": "alias" },
            "proxies": {
                "http_auth": "http://alice:hush@127.0.0.1:3128", "socks5_auth": "socks5h://alice:hush@127.0.0.1:1080",
            },
            "credentials": { "access_key_id": "AKID", "secret_access_key": "hush", "session_token": "quiet" },
            "authorizers": { "signed": {
                "name": "signed", "username": "alice", "password": "hush-1", "token_key_name": "token",
                "token_value": "hush-2", "token_signature": "hush-3",
            } },
        }))
    }

    fn words(flags: &[&str]) -> Vec<String> {
        flags.iter().map(|flag| (*flag).to_owned()).collect()
    }

    #[test]
    fn every_sample_has_a_connection() {
        let samples = Workspace::locate().unwrap().samples().unwrap();
        for sample in samples.iter().filter(|sample| sample.by_hand.is_none()) {
            Connection::to_sandbox(&sample.folder, &[], &state()).unwrap();
        }
    }

    #[test]
    fn mutual_tls_takes_the_mqtt_port() {
        let short = Connection::to_sandbox("pubsub", &[], &state()).unwrap().in_short("pubsub");
        assert_eq!(
            short,
            "pubsub --endpoint localhost --port 8883 --ca-file ca.pem --cert device.pem --key device.key"
        );
    }

    #[test]
    fn secrets_are_neither_arguments_nor_shown() {
        for (folder, shown) in [
            ("websocket_connect", "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… "),
            ("pkcs12_connect", "AWS_IOT_PKCS12_PASSWORD=… pkcs12_connect --endpoint localhost --port 8883 "),
            ("socks5_connect", "AWS_IOT_PROXY_USER=… socks5_connect --endpoint localhost --port 8883 "),
        ] {
            let connection = Connection::to_sandbox(folder, &[], &state()).unwrap();
            let short = connection.in_short(folder);
            assert!(short.starts_with(shown), "{short}");
            let mut command = Command::new("x");
            connection.apply(&mut command);
            assert!(!format!("{:?}", command.get_args().collect::<Vec<_>>()).contains("hush"));
            assert!(
                command
                    .get_envs()
                    .any(|(_, value)| value.is_some_and(|value| value.to_string_lossy().ends_with("hush")))
            );
        }
    }

    #[test]
    fn users_flags_win_under_any_name() {
        let own = words(&["--port_override=1", "--ca_file", "x", "--signing-region", "eu-west-1"]);
        let connection = Connection::to_sandbox("sigv4_connect", &own, &state()).unwrap();
        assert_eq!(connection.flags, [("--endpoint", "localhost".to_owned())]);
        let pool = words(&["--cognito_identity_pool", "us-east-1:3-4"]);
        let connection = Connection::to_sandbox("cognito_connect", &pool, &state()).unwrap();
        assert!(!connection.in_short("x").contains("--cognito-identity"));
    }

    #[test]
    fn secrets_give_way_with_what_they_belong_to() {
        let left = |folder: &str, own: &[&str]| {
            let connection = Connection::to_sandbox(folder, &words(own), &state()).unwrap();
            connection.variables.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        };
        assert!(left("pkcs12_connect", &["--pkcs12_file", "own.p12"]).is_empty());
        assert!(left("pkcs12_connect", &["--pkcs12-password-file=own"]).is_empty());
        assert!(left("sigv4_connect", &["--access_key_id", "AKID2"]).is_empty());
        assert!(left("custom_auth_connect", &["--authorizer-name", "own"]).is_empty());
        assert_eq!(
            left("custom_auth_connect", &["--token-value", "own", "--auth-password-file", "own"]),
            ["AWS_IOT_AUTH_SIGNATURE"]
        );
        assert_eq!(left("pkcs12_connect", &["--client-id", "test-1"]), ["AWS_IOT_PKCS12_PASSWORD"]);
    }

    #[test]
    fn a_token_of_ones_own_never_gets_our_pin() {
        for own in ["--pkcs11-lib=own.so", "--pkcs11_uri=pkcs11:token=own"] {
            let connection = Connection {
                flags: vec![("--pkcs11-lib", "ours.so".to_owned()), ("--token-label", "ours".to_owned())],
                variables: vec![("AWS_IOT_PIN", "ours".to_owned()), ("SOFTHSM2_CONF", "ours".to_owned())],
                inherited: Vec::new(),
            };
            let left = Connection { inherited: vec!["AWS_IOT_PIN"], ..Connection::default() };
            assert_eq!(connection.give_way_to(&words(&[own])), left, "{own}");
        }
    }

    #[test]
    fn to_list_a_token_is_not_to_connect() {
        let connection = Connection {
            flags: vec![("--endpoint", "localhost".to_owned()), ("--token-label", "x".to_owned())],
            ..Connection::default()
        };
        let connection = connection.give_way_to(&words(&["--list"]));
        assert_eq!(connection.flags, [("--token-label", "x".to_owned())]);
    }

    #[test]
    fn a_custom_authorizer_gets_its_secrets_by_the_environment() {
        let own = words(&["--custom_auth_username", "bob"]);
        let connection = Connection::to_sandbox("custom_auth_connect", &own, &state()).unwrap();
        assert_eq!(
            connection.in_short("sample"),
            "AWS_IOT_AUTH_PASSWORD=… AWS_IOT_AUTH_TOKEN_VALUE=… AWS_IOT_AUTH_SIGNATURE=… sample --endpoint localhost \
             --port 8443 --ca-file ca.pem --authorizer-name signed --auth-token-key-name token"
        );
    }

    #[test]
    fn a_proxy_is_shown_and_its_password_is_not() {
        let short = |own: &[&str]| {
            Connection::to_sandbox("socks5_connect", &words(own), &state()).unwrap().in_short("x")
        };
        let mutual_tls = short(&[]);
        assert!(
            mutual_tls.starts_with("AWS_IOT_PROXY_USER=… x --endpoint localhost --port 8883 "),
            "{mutual_tls}"
        );
        assert!(mutual_tls.ends_with(" --key device.key --proxy socks5h://127.0.0.1:1080"), "{mutual_tls}");
        let websocket = short(&["--websocket", "--region", "us-east-1"]);
        assert!(websocket.contains("AWS_SESSION_TOKEN=… AWS_IOT_PROXY_USER=… x "), "{websocket}");
        assert!(websocket.contains("--port 8443") && !websocket.contains("--cert"), "{websocket}");
        for own in [&["--proxy=socks5h://p"][..], &["--no_proxy"], &["--proxy_host", "p"]] {
            assert!(!short(own).to_ascii_lowercase().contains("proxy"), "{own:?}");
        }
    }

    #[test]
    fn endpoint_is_recognised() {
        for flags in
            [["--endpoint", "x"], ["--endpoint=x", ""], ["--broker_host", "x"], ["--broker-host", "x"]]
        {
            assert!(names_endpoint(&words(&flags)), "{flags:?}");
        }
        assert!(!names_endpoint(&words(&["--topic", "endpoint", "--endpoints"])));
    }

    #[test]
    fn missing_part_is_named() {
        let error = State::from(json!({})).value("/device/cert_file").unwrap_err();
        assert_eq!(error.to_string(), "sandbox.json has no device.cert_file");
    }

    #[test]
    fn ambient_settings() {
        for name in [
            "AWS_PROFILE",
            "AWS_REGION",
            "AWS_IOT_PROXY_USER",
            "https_proxy",
            "all_proxy",
            "ALL_PROXY",
            "NO_PROXY",
        ] {
            assert!(is_ambient(name), "{name}");
        }
        assert!(!is_ambient("PATH") && !is_ambient("RUST_LOG"));
    }
}
