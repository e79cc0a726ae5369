//! How a sample is pointed at a sandbox: `[[package.metadata.sandbox]]` of its manifest, which CONTRIBUTING.md describes.
//!
//! `cargo xtask`, the sandbox's list of commands and the tests of the READMEs read it here. The values come from
//! `sandbox.json`, so that this crate knows neither the sandbox nor the samples.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// A sample's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    path: PathBuf,
    /// The Cargo package, which is also the binary.
    pub package: String,
    /// What cargo says of the package.
    pub description: Option<String>,
    /// Why it takes a person to run the sample: `by-hand` of `[package.metadata.xtask]`.
    pub by_hand: Option<String>,
    /// The ways to start the sample against a sandbox; `cargo xtask run` takes the first.
    pub invocations: Vec<Invocation>,
}

/// One way to start a sample against a sandbox. Values hold placeholders until [`Manifest::fill`] replaces them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The heading of the command in the sandbox's list; without one the command is not listed.
    pub title: Option<String>,
    /// The flags.
    pub flags: Vec<Flag>,
    /// The environment: secrets, which other processes could read on the command line, and what has no flag.
    #[serde(default)]
    pub env: Vec<Variable>,
    /// What `cargo xtask demo` adds, where the sample would not end otherwise.
    #[serde(default)]
    pub demo: Vec<Flag>,
}

/// `--name value`, or `--name` alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Flag {
    /// With its dashes.
    pub name: String,
    /// `None` for a switch.
    pub value: Option<String>,
}

/// `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl TryFrom<String> for Flag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, value) = text.split_once(' ').map_or((&*text, None), |(name, value)| (name, Some(value)));
        match name.strip_prefix("--") {
            Some(rest) if !rest.is_empty() && !rest.contains('=') => {
                Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
            }
            _ => Err(format!("`{text}` is not of the form `--name value`")),
        }
    }
}

impl TryFrom<String> for Variable {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("`{text}` is not of the form `NAME=value`")),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    description: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    sandbox: Vec<Invocation>,
    xtask: Xtask,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Xtask {
    by_hand: Option<String>,
}

impl Variable {
    /// The flag for the same secret, as all samples name them: `AWS_IOT_PIN` is `--pin`, and `--pin-file` names a file
    /// that holds it.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        let name = self.name.strip_prefix("AWS_IOT_")?;
        Some(format!("--{}", name.to_ascii_lowercase().replace('_', "-")))
    }
}

impl Manifest {
    /// Reads `Cargo.toml` of a sample's folder.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and as [`Manifest::parse`].
    pub fn read(sample: &Path) -> Result<Self> {
        let path = sample.join("Cargo.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(path, &text)
    }

    /// The manifests of all folders in `samples`, by the folders' names.
    ///
    /// # Errors
    ///
    /// A folder that cannot be listed, and as [`Manifest::read`].
    pub fn read_all(samples: &Path) -> Result<Vec<Self>> {
        let list = || format!("cannot list {}", samples.display());
        let entries =
            fs::read_dir(samples).with_context(list)?.collect::<Result<Vec<_>, _>>().with_context(list)?;
        let mut folders: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        folders.sort();
        folders
            .iter()
            .filter(|folder| folder.join("Cargo.toml").is_file())
            .map(|folder| Self::read(folder))
            .collect()
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    ///
    /// What is not TOML or not of this form: the error names the file and the line.
    pub fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let document: Document =
            toml::from_str(text).with_context(|| format!("cannot understand {}", path.display()))?;
        let Package { name, description, metadata } = document.package;
        let Metadata { sandbox, xtask } = metadata;
        Ok(Self { path, package: name, description, by_hand: xtask.by_hand, invocations: sandbox })
    }

    /// The sample's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Whether a placeholder names a value of this object of the JSON.
    #[must_use]
    pub fn refers_to(&self, object: &str) -> bool {
        let start = format!("{{{object}.");
        let flags = |one: &Invocation| {
            one.flags.iter().any(|flag| flag.value.iter().any(|value| value.contains(&start)))
        };
        let env = |one: &Invocation| one.env.iter().any(|variable| variable.value.contains(&start));
        self.invocations.iter().any(|one| flags(one) || env(one))
    }

    /// Replaces the placeholders of an invocation by the values of `sandbox.json`.
    ///
    /// # Errors
    ///
    /// A placeholder that names no value: the error names the file and the flag or variable.
    pub fn fill(&self, invocation: &Invocation, json: &Value) -> Result<Invocation> {
        let mut filled = invocation.clone();
        let flags = filled.flags.iter_mut().filter_map(|flag| Some((&flag.name, flag.value.as_mut()?)));
        let env = filled.env.iter_mut().map(|variable| (&variable.name, &mut variable.value));
        for (name, text) in flags.chain(env) {
            *text = fill(text, json).with_context(|| format!("{}: {name}", self.path.display()))?;
        }
        Ok(filled)
    }
}

fn fill(template: &str, json: &Value) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((path, after)) = after.split_once('}') else { bail!("`{template}` has no closing brace") };
        filled.push_str(before);
        filled.push_str(&value(json, path)?);
        rest = after;
    }
    Ok(filled + rest)
}

/// The text or number at a path such as `device.cert_file`. Below a URL are its parts `userinfo`, `origin`, `host` and
/// `port`.
///
/// # Errors
///
/// A path that leads nowhere.
pub fn value(json: &Value, path: &str) -> Result<String> {
    let at = |path: &str| match json.pointer(&format!("/{}", path.replace('.', "/"))) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let part = || path.rsplit_once('.').and_then(|(url, part)| part_of_url(&at(url)?, part));
    at(path).or_else(part).with_context(|| format!("sandbox.json has no {path}"))
}

/// A part of a URL by the names of RFC 3986 and RFC 6454. The sandbox's URLs hold nothing that is percent-encoded.
fn part_of_url(url: &str, part: &str) -> Option<String> {
    let (scheme, authority) = url.split_once("://")?;
    let (userinfo, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = address.rsplit_once(':')?;
    match part {
        "userinfo" if !userinfo.is_empty() => Some(userinfo.to_owned()),
        "origin" => Some(format!("{scheme}://{address}")),
        "host" => Some(host.to_owned()),
        "port" => Some(port.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(table: &str) -> Result<Manifest> {
        let text = format!("[package]\nname = \"x\"\n\n[[package.metadata.sandbox]]\n{table}\n");
        Manifest::parse(PathBuf::from("samples/x/Cargo.toml"), &text)
    }

    fn filled(table: &str) -> Result<Invocation> {
        let json = json!({
            "endpoint": "localhost", "mqtt_port": 8883, "device": { "cert_file": "/a b/device.pem" },
            "proxies": { "http": "http://127.0.0.1:3128", "http_auth": "http://alice:hush@127.0.0.1:3129" },
        });
        let manifest = manifest(table).unwrap();
        manifest.fill(&manifest.invocations[0], &json)
    }

    #[test]
    fn placeholders_become_values_of_the_json() {
        let filled = filled(
            r#"title = "t"
               flags = ["--endpoint {endpoint}", "--port {mqtt_port}", "--websocket", "--cert {device.cert_file}"]
               env = ["A={endpoint}={mqtt_port}", "B=plain"]
               demo = ["--count 2"]"#,
        )
        .unwrap();
        let flags: Vec<_> = filled.flags.iter().map(|flag| (&*flag.name, flag.value.as_deref())).collect();
        assert_eq!(
            flags,
            [
                ("--endpoint", Some("localhost")),
                ("--port", Some("8883")),
                ("--websocket", None),
                ("--cert", Some("/a b/device.pem")),
            ]
        );
        let env: Vec<_> = filled.env.iter().map(|variable| (&*variable.name, &*variable.value)).collect();
        assert_eq!(env, [("A", "localhost=8883"), ("B", "plain")]);
        assert_eq!(filled.title.as_deref(), Some("t"));
        assert_eq!(filled.demo, [Flag { name: "--count".to_owned(), value: Some("2".to_owned()) }]);
    }

    #[test]
    fn a_url_has_parts() {
        let filled = filled(
            r#"flags = ["--proxy {proxies.http_auth.origin}", "--host {proxies.http.host}", "--port {proxies.http.port}"]
               env = ["USER={proxies.http_auth.userinfo}"]"#,
        )
        .unwrap();
        let values: Vec<_> = filled.flags.iter().filter_map(|flag| flag.value.as_deref()).collect();
        assert_eq!(values, ["http://127.0.0.1:3129", "127.0.0.1", "3128"]);
        assert_eq!(filled.env[0].value, "alice:hush");
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_file_and_name() {
        for (table, words) in [
            (r#"flags = ["--cert {device.cert}"]"#, "--cert: sandbox.json has no device.cert"),
            (r#"flags = ["--cert {device}"]"#, "--cert: sandbox.json has no device"),
            (
                r#"flags = ["--user {proxies.http.userinfo}"]"#,
                "--user: sandbox.json has no proxies.http.userinfo",
            ),
            (r#"flags = ["--port {mqtt_port"]"#, "--port: `{mqtt_port` has no closing brace"),
            ("flags = []\nenv = [\"A={b}\"]", "A: sandbox.json has no b"),
        ] {
            let error = filled(table).unwrap_err();
            assert_eq!(format!("{error:#}"), format!("samples/x/Cargo.toml: {words}"));
        }
    }

    #[test]
    fn a_malformed_table_is_refused_with_file_and_line() {
        for (table, words) in [
            (r#"flags = ["endpoint localhost"]"#, "`endpoint localhost` is not of the form `--name value`"),
            (r#"flags = ["--port=1"]"#, "`--port=1` is not of the form `--name value`"),
            ("flags = []\nenv = [\"A\"]", "`A` is not of the form `NAME=value`"),
            ("flags = []\nfalgs = []", "unknown field `falgs`"),
            ("flags = \"--port 1\"", "invalid type: string"),
            ("title = \"x\"", "missing field `flags`"),
        ] {
            let error = format!("{:#}", manifest(table).unwrap_err());
            assert!(error.starts_with("cannot understand samples/x/Cargo.toml: "), "{error}");
            assert!(error.contains(words) && error.contains("line "), "{error}");
        }
    }

    #[test]
    fn a_secret_has_a_flag_of_its_name() {
        let flag = |text: &str| Variable::try_from(text.to_owned()).unwrap().flag();
        assert_eq!(flag("AWS_IOT_AUTH_TOKEN_VALUE=x").as_deref(), Some("--auth-token-value"));
        assert_eq!(flag("SOFTHSM2_CONF=x"), None);
    }

    #[test]
    fn a_manifest_names_the_objects_that_it_needs() {
        let manifest = manifest(r#"flags = ["--lib {token.library}"]"#).unwrap();
        assert!(manifest.refers_to("token") && !manifest.refers_to("device") && !manifest.refers_to("tok"));
    }
}
