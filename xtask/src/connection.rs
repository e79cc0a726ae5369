//! How each sample is pointed at the sandbox: its flags and environment, from `sandbox.json`.

use std::env;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::hint;
use crate::private_sandbox::State;

/// What a sample needs to connect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Flags with their values.
    flags: Vec<(&'static str, String)>,
    /// Credentials: an argument would show in the process list.
    variables: Vec<(&'static str, String)>,
}

/// Names that samples take for one flag, beside its own; the first is ours (the official samples' names, and clap's).
const SAME_FLAG: &[&[&str]] =
    &[&["endpoint", "broker-host"], &["port", "port-override", "broker-port"], &["region", "signing-region"]];

impl Connection {
    /// The flags and variables that connect the sample in this folder to the sandbox.
    pub(crate) fn to_sandbox(folder: &str, state: &State) -> Result<Self> {
        let mut connection = Self::default();
        connection.flag("--endpoint", state.value("/endpoint")?);
        match folder {
            "pubsub" => {
                connection.flag("--port", state.value("/mqtt_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                connection.flag("--cert", state.value("/device/cert_file")?);
                connection.flag("--key", state.value("/device/key_file")?);
            }
            "sigv4_connect" | "websocket_connect" => {
                connection.flag("--port", state.value("/https_port")?);
                connection.flag("--ca-file", state.value("/ca_file")?);
                let region = if folder == "sigv4_connect" { "--region" } else { "--signing-region" };
                connection.flag(region, state.value("/region")?);
                connection.variable("AWS_ACCESS_KEY_ID", state.value("/credentials/access_key_id")?);
                connection.variable("AWS_SECRET_ACCESS_KEY", state.value("/credentials/secret_access_key")?);
                connection.variable("AWS_SESSION_TOKEN", state.value("/credentials/session_token")?);
            }
            _ => {
                return Err(hint::error(
                    format!("xtask does not know how to connect the sample `{folder}` to the sandbox"),
                    "add its flags to xtask/src/connection.rs, or give --endpoint and the rest yourself",
                ));
            }
        }
        Ok(connection)
    }

    /// Adds a flag of one's own.
    pub(crate) fn flag(&mut self, name: &'static str, value: String) {
        self.flags.push((name, value));
    }

    fn variable(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    /// Leaves out what the user's own flags say otherwise, under whichever name.
    pub(crate) fn give_way_to(mut self, own: &[String]) -> Self {
        self.flags.retain(|(name, _)| !own.iter().any(|flag| same_flag(flag, name)));
        self
    }

    /// Sets the flags and a clean environment: the credentials above and no other AWS setting or proxy.
    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_ambient) {
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
            let short = value.rsplit(['/', '\\']).next().unwrap_or(value);
            format!("{name} {short}")
        });
        variables.chain([program.to_owned()]).chain(flags).collect::<Vec<_>>().join(" ")
    }
}

/// Whether the flags name an endpoint, so that no sandbox is wanted.
pub(crate) fn names_endpoint(flags: &[String]) -> bool {
    flags.iter().any(|flag| same_flag(flag, "--endpoint"))
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
            "ca_file": "/s/ca.pem", "device": { "cert_file": "/s/device.pem", "key_file": "/s/device.key" },
            "credentials": { "access_key_id": "AKID", "secret_access_key": "hush", "session_token": "quiet" },
        }))
    }

    fn words(flags: &[&str]) -> Vec<String> {
        flags.iter().map(|flag| (*flag).to_owned()).collect()
    }

    #[test]
    fn every_sample_has_a_connection() {
        for sample in Workspace::locate().unwrap().samples().unwrap() {
            Connection::to_sandbox(&sample.folder, &state()).unwrap();
        }
    }

    #[test]
    fn mutual_tls_takes_the_mqtt_port() {
        let short = Connection::to_sandbox("pubsub", &state()).unwrap().in_short("pubsub");
        assert_eq!(
            short,
            "pubsub --endpoint localhost --port 8883 --ca-file ca.pem --cert device.pem --key device.key"
        );
    }

    #[test]
    fn secrets_are_neither_arguments_nor_shown() {
        let connection = Connection::to_sandbox("websocket_connect", &state()).unwrap();
        let short = connection.in_short("websocket_connect");
        assert!(short.starts_with("AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… "), "{short}");
        let mut command = Command::new("x");
        connection.apply(&mut command);
        assert!(!format!("{:?}", command.get_args().collect::<Vec<_>>()).contains("hush"));
        assert!(command.get_envs().any(|(_, value)| value.is_some_and(|value| value == "hush")));
    }

    #[test]
    fn users_flags_win_under_any_name() {
        let own = words(&["--port_override=1", "--ca_file", "x", "--signing-region", "eu-west-1"]);
        let connection = Connection::to_sandbox("sigv4_connect", &state()).unwrap().give_way_to(&own);
        assert_eq!(connection.flags, [("--endpoint", "localhost".to_owned())]);
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
        for name in ["AWS_PROFILE", "AWS_REGION", "https_proxy", "ALL_PROXY", "NO_PROXY"] {
            assert!(is_ambient(name), "{name}");
        }
        assert!(!is_ambient("PATH") && !is_ambient("RUST_LOG"));
    }
}
