//! A sample's start against the sandbox: what its manifest says, unless the user's own flags say otherwise.

use std::env;
use std::process::Command;

use anyhow::Result;
use sample_manifest::{Flag, Variable};

use crate::hint;
use crate::private_sandbox::State;
use crate::workspace::Sample;

/// The flags and the environment of a sample.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Launch {
    flags: Vec<Flag>,
    /// Credentials, as an argument would show in the process list, and what has no flag.
    variables: Vec<Variable>,
    /// The user's own variables that reach the sample, for they go with a flag of the user's own.
    inherited: Vec<String>,
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
/// token, which would count ours as a wrong one. [`Variable::flag`] knows the flag of a secret itself.
const GOES_WITH: &[(&str, &[&str])] = &[
    ("--key", &["AWS_IOT_KEY_PASSWORD"]),
    ("--x509-key", &["AWS_IOT_KEY_PASSWORD"]),
    ("--cognito-identity", &["AWS_IOT_LOGIN"]),
    ("--pkcs12-file", &["AWS_IOT_PKCS12_PASSWORD"]),
    ("--pkcs11-lib", &["--token-label", "--cert", "AWS_IOT_PIN", "SOFTHSM2_CONF"]),
    ("--pkcs11-uri", &["--pkcs11-lib", "--token-label", "--cert", "AWS_IOT_PIN", "SOFTHSM2_CONF"]),
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
    ("--proxy", &["AWS_IOT_PROXY_USER"]),
    ("--proxy-host", &["--proxy", "AWS_IOT_PROXY_USER"]),
    ("--no-proxy", &["--proxy", "AWS_IOT_PROXY_USER"]),
];

/// Flags that are at odds with `--list`, which shows what is on a token and connects to nothing.
const CONNECTING: &[&str] = &["--endpoint", "--port", "--ca-file", "--cert"];

impl Launch {
    /// The start of a sample against the sandbox, beside the user's own flags. Of several ways it takes the one whose
    /// switch is among those, or else the first.
    pub(crate) fn to_sandbox(sample: &Sample, own: &[String], state: &State) -> Result<Self> {
        let ways = &sample.manifest.invocations;
        let chosen = ways
            .iter()
            .find(|way| way.flags.iter().any(|flag| flag.value.is_none() && is_among(own, &flag.name)));
        let Some(invocation) = chosen.or(ways.first()) else {
            return Err(hint::error(
                format!("xtask does not know how to connect the sample `{}` to the sandbox", sample.folder),
                format!(
                    "add its flags to samples/{}/Cargo.toml, as CONTRIBUTING.md says, or give --endpoint and the rest \
                     yourself",
                    sample.folder
                ),
            ));
        };
        let filled = sample.manifest.fill(invocation, state.json())?;
        let launch = Self { flags: filled.flags, variables: filled.env, inherited: Vec::new() };
        Ok(launch.give_way_to(own))
    }

    /// The same with what ends the sample in a demo.
    pub(crate) fn with_demo(mut self, sample: &Sample) -> Self {
        self.flags.extend(sample.manifest.invocations.iter().take(1).flat_map(|first| first.demo.clone()));
        self
    }

    /// The same with a flag more, unless it is among the user's `own`.
    pub(crate) fn with(mut self, (name, value): (&str, String), own: &[String]) -> Self {
        if !is_among(own, name) {
            self.flags.push(Flag { name: name.to_owned(), value: Some(value) });
        }
        self
    }

    /// The same with a variable more.
    pub(crate) fn with_variable(mut self, (name, value): (&str, String)) -> Self {
        self.variables.push(Variable { name: name.to_owned(), value });
        self
    }

    /// Leaves out what the user's own flags say otherwise, under whichever name, and what goes with it.
    fn give_way_to(mut self, own: &[String]) -> Self {
        let given = GOES_WITH.iter().filter(|(flag, _)| is_among(own, flag));
        let mut users: Vec<_> = given.flat_map(|(_, all)| *all).map(|&name| name.to_owned()).collect();
        let secrets = self.variables.iter().filter(|variable| {
            let flag = variable.flag();
            flag.is_some_and(|flag| is_among(own, &flag) || is_among(own, &format!("{flag}-file")))
        });
        users.extend(secrets.map(|variable| variable.name.clone()));
        self.flags.retain(|flag| !is_among(own, &flag.name) && !users.contains(&flag.name));
        self.variables.retain(|variable| !users.contains(&variable.name));
        // Credentials for AWS itself are not for the sandbox.
        self.inherited.extend(users.into_iter().filter(|name| name.starts_with("AWS_IOT_")));
        if own.iter().any(|flag| flag == "--list") {
            self.flags.retain(|flag| !CONNECTING.contains(&flag.name.as_str()));
        }
        self
    }

    /// Sets the flags and a clean environment: the variables above and no other AWS setting or proxy.
    pub(crate) fn apply(&self, command: &mut Command) {
        let is_foreign = |name: &str| is_ambient(name) && !self.inherited.iter().any(|own| own == name);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_foreign) {
                command.env_remove(&name);
            }
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.variables.iter().map(|variable| (&variable.name, &variable.value)));
        command.args(self.flags.iter().flat_map(|flag| [Some(&flag.name), flag.value.as_ref()]).flatten());
    }

    /// The command as a person would write it: file names for paths, and no secret.
    pub(crate) fn in_short(&self, program: &str) -> String {
        let variables = self.variables.iter().map(|variable| format!("{}=…", variable.name));
        let flags = self.flags.iter().map(|Flag { name, value }| match value {
            None => name.clone(),
            Some(url) if url.contains("://") => format!("{name} {url}"),
            Some(value) => format!("{name} {}", value.rsplit(['/', '\\']).next().unwrap_or(value)),
        });
        variables.chain([program.to_owned()]).chain(flags).collect::<Vec<_>>().join(" ")
    }
}

/// Whether the flags name an endpoint, so that no sandbox is wanted.
pub(crate) fn names_endpoint(flags: &[String]) -> bool {
    is_among(flags, "--endpoint")
}

/// Whether the flags only ask what there is, so that no sandbox is wanted.
pub(crate) fn asks_for_help(flags: &[String]) -> bool {
    flags.iter().any(|flag| ["--help", "-h", "--version", "-V"].contains(&flag.as_str()))
}

/// Whether one of the arguments is the flag `name`.
fn is_among(own: &[String], name: &str) -> bool {
    own.iter().any(|given| same_flag(given, name))
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
            "token": { "library": "/l/softhsm.so", "label": "token", "pin": "hush", "config": "/s/softhsm2.conf" },
        }))
    }

    fn to_sandbox(folder: &str, own: &[String]) -> Launch {
        let sample = Workspace::locate().unwrap().sample(folder).unwrap();
        Launch::to_sandbox(&sample, own, &state()).unwrap()
    }

    fn flag(name: &str, value: &str) -> Flag {
        Flag { name: name.to_owned(), value: Some(value.to_owned()) }
    }

    fn words(flags: &[&str]) -> Vec<String> {
        flags.iter().map(|flag| (*flag).to_owned()).collect()
    }

    #[test]
    fn every_sample_has_a_connection() {
        let samples = Workspace::locate().unwrap().samples().unwrap();
        for sample in samples.iter().filter(|sample| sample.manifest.by_hand.is_none()) {
            Launch::to_sandbox(sample, &[], &state()).unwrap();
        }
    }

    #[test]
    fn mutual_tls_takes_the_mqtt_port() {
        let short = to_sandbox("pubsub", &[]).in_short("pubsub");
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
            let launch = to_sandbox(folder, &[]);
            let short = launch.in_short(folder);
            assert!(short.starts_with(shown), "{short}");
            let mut command = Command::new("x");
            launch.apply(&mut command);
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
        let launch = to_sandbox("sigv4_connect", &own);
        assert_eq!(launch.flags, [flag("--endpoint", "localhost")]);
        let pool = words(&["--cognito_identity_pool", "us-east-1:3-4"]);
        let launch = to_sandbox("cognito_connect", &pool);
        assert!(!launch.in_short("x").contains("--cognito-identity"));
    }

    #[test]
    fn secrets_give_way_with_what_they_belong_to() {
        let left = |folder: &str, own: &[&str]| {
            let launch = to_sandbox(folder, &words(own));
            launch.variables.iter().map(|variable| variable.name.clone()).collect::<Vec<_>>()
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
            let launch = Launch {
                flags: vec![flag("--pkcs11-lib", "ours.so"), flag("--token-label", "ours")],
                ..Launch::default()
            };
            let launch = ["AWS_IOT_PIN", "SOFTHSM2_CONF"]
                .into_iter()
                .fold(launch, |launch, name| launch.with_variable((name, "ours".to_owned())));
            let left = Launch { inherited: vec!["AWS_IOT_PIN".to_owned()], ..Launch::default() };
            assert_eq!(launch.give_way_to(&words(&[own])), left, "{own}");
        }
    }

    #[test]
    fn to_list_a_token_is_not_to_connect() {
        let launch = Launch {
            flags: vec![flag("--endpoint", "localhost"), flag("--token-label", "x")],
            ..Launch::default()
        };
        let launch = launch.give_way_to(&words(&["--list"]));
        assert_eq!(launch.flags, [flag("--token-label", "x")]);
    }

    #[test]
    fn a_custom_authorizer_gets_its_secrets_by_the_environment() {
        let own = words(&["--custom_auth_username", "bob"]);
        let launch = to_sandbox("custom_auth_connect", &own);
        assert_eq!(
            launch.in_short("sample"),
            "AWS_IOT_AUTH_PASSWORD=… AWS_IOT_AUTH_TOKEN_VALUE=… AWS_IOT_AUTH_SIGNATURE=… sample --endpoint localhost \
             --port 8443 --ca-file ca.pem --authorizer-name signed --auth-token-key-name token"
        );
    }

    #[test]
    fn a_proxy_is_shown_and_its_password_is_not() {
        let short = |own: &[&str]| to_sandbox("socks5_connect", &words(own)).in_short("x");
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
