//! The binary's words when it is ready: the facts, and a command to paste for each sample.

use std::fs;
use std::path::Path;

use anyhow::Context;
use sample_manifest::Manifest;
use sandbox::Sandbox;
use serde_json::Value;

/// The samples of the workspace that the binary was built in.
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");

/// The whole text. It holds the sandbox's credentials, which are worth nothing elsewhere and end with it.
///
/// # Errors
///
/// A sample's manifest that cannot be read or names what `contract`, the sandbox's file, does not have.
pub(crate) fn table(sandbox: &Sandbox, contract: &Path) -> anyhow::Result<String> {
    let endpoint = sandbox.endpoint();
    let (mqtt_port, https_port) = (sandbox.mqtt_port(), sandbox.https_port());
    let proxies = sandbox.proxies();
    let facts = [
        ("mutual TLS", format!("{endpoint}:{mqtt_port}")),
        ("everything else", format!("{endpoint}:{https_port}")),
        ("metadata, HTTP", sandbox.metadata().endpoint.clone()),
        ("region, account", format!("{}, {}", sandbox.region(), sandbox.account_id())),
        ("device", sandbox.device().thing_name.clone()),
        ("CA", sandbox.ca_file().display().to_string()),
        ("HTTP proxy", proxies.http.clone()),
        ("  with password", proxies.http_auth.clone()),
        ("HTTPS proxy", proxies.https.clone()),
        ("SOCKS5 proxy", proxies.socks5.clone()),
        ("  with password", proxies.socks5_auth.clone()),
        ("for programs", contract.display().to_string()),
    ];
    let mut text = String::from("A local AWS IoT Core is ready. Ctrl-C ends it.\n\n");
    for (name, value) in facts {
        text.push_str(&format!("  {name:<18}{value}\n"));
    }
    // A binary that was moved elsewhere has no samples to run.
    if Path::new(SAMPLES).is_dir() {
        let json = fs::read(contract).with_context(|| format!("cannot read {}", contract.display()))?;
        text.push_str(&commands(Path::new(SAMPLES), &serde_json::from_slice(&json)?)?);
    }
    Ok(text)
}

/// A heading and a command for each way to start a sample that has a title.
fn commands(samples: &Path, json: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    for manifest in Manifest::read_all(samples)? {
        let package = &manifest.package;
        for invocation in &manifest.invocations {
            let Some(title) = &invocation.title else { continue };
            let filled = manifest.fill(invocation, json)?;
            text.push_str(&format!("\n# {package}: {title}\n"));
            for variable in &filled.env {
                text.push_str(&format!("{}={} ", variable.name, quote(&variable.value)));
            }
            text.push_str(&format!("cargo run -p {package} --"));
            for flag in &filled.flags {
                text.push_str(&format!(" {}", flag.name));
                text.extend(flag.value.iter().map(|value| format!(" {}", quote(value))));
            }
            text.push('\n');
        }
    }
    Ok(text)
}

/// A word for the shell: quoted unless it needs no quotes.
fn quote(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+=:,@".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_way_with_a_title_is_listed_as_a_command_to_paste() {
        let samples = tempfile::tempdir().unwrap();
        let write = |folder: &str, tables: &str| {
            fs::create_dir_all(samples.path().join(folder)).unwrap();
            let text = format!("[package]\nname = \"{folder}-package\"\n{tables}");
            fs::write(samples.path().join(folder).join("Cargo.toml"), text).unwrap();
        };
        let listed = "[[package.metadata.sandbox]]\ntitle = \"t\"\nenv = [\"A={pin}\"]\nflags = [\"--on\", \"--ca {ca}\"]\n";
        let unlisted = "[[package.metadata.sandbox]]\nflags = [\"--lib {token.library}\"]\n";
        write("a", &format!("{unlisted}{listed}"));
        write("b", unlisted);
        let json = json!({ "ca": "/a b/ca.pem", "pin": 1 });
        let text = commands(samples.path(), &json).unwrap();
        assert_eq!(text, "\n# a-package: t\nA=1 cargo run -p a-package -- --on --ca '/a b/ca.pem'\n");

        write("b", &listed.replace("{pin}", "{pine}"));
        let error = format!("{:#}", commands(samples.path(), &json).unwrap_err());
        assert!(error.ends_with("Cargo.toml: A: sandbox.json has no pine"), "{error}");
    }

    #[test]
    fn words_are_quoted_where_the_shell_needs_it() {
        assert_eq!(quote("/a/b-c_d.pem"), "/a/b-c_d.pem");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
