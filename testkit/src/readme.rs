//! Runs the commands of a README, so that they cannot rot.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox::Sandbox;

use crate::{Outcome, Sample, workspace};

/// Runs every command in the `sh` blocks of a sample's README.
///
/// `cargo xtask …` runs as it stands. `cargo run -p <package> -- <flags>` is meant for an AWS account: it runs
/// `binary` with the same flags, with the account's values (endpoint, files, region, keys) replaced by the
/// sandbox's. Anything else is a mistake in the README, unless it is an `aws` command or an `export`.
///
/// # Panics
///
/// When a command fails, is of no known kind, or when one of the two kinds is missing.
pub fn commands_work(sample: &Path, package: &str, binary: &str, sandbox: &Sandbox) {
    let path = sample.join("README.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut local, mut account) = (0, 0);
    for command in commands(&text) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "xtask", ..] => {
                xtask(&words[2..]).succeeded();
                local += 1;
            }
            ["cargo", "run", "-p", name, "--", ..] if name == package => {
                replace_account(Sample::new(binary), &words[5..], sandbox).run().succeeded();
                account += 1;
            }
            ["cargo", "build", ..] | ["aws", ..] | ["export", ..] => {}
            _ => panic!("{}: what is {command:?}?", path.display()),
        }
    }
    assert!(local > 0, "{} has no command for the sandbox", path.display());
    assert!(account > 0, "{} has no command for an AWS account", path.display());
}

/// Runs `cargo xtask` with the toolchain and flags of the test itself, so that nothing is built twice.
#[must_use]
pub fn xtask(args: &[&str]) -> Outcome {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).arg("xtask").args(args);
    for (name, _) in env::vars_os() {
        // Not CARGO_PKG_* and the like: build scripts watch some of them.
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    Outcome::of_within(&mut command, Outcome::BUILD_LIMIT)
}

/// The commands in the `sh` blocks of a Markdown text, with continued lines joined.
#[must_use]
pub fn commands(markdown: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut in_block = false;
    let mut command = String::new();
    for line in markdown.lines() {
        match line.trim() {
            "```sh" => in_block = true,
            "```" => in_block = false,
            line if in_block && !line.is_empty() && !line.starts_with('#') => {
                let continued = line.strip_suffix('\\');
                command.push_str(continued.unwrap_or(line));
                if continued.is_none() {
                    commands.push(std::mem::take(&mut command));
                }
            }
            _ => {}
        }
    }
    commands
}

fn replace_account(sample: Sample, flags: &[&str], sandbox: &Sandbox) -> Sample {
    let device = sandbox.device();
    let credentials = sandbox.credentials();
    let file = |path: &Path| path.display().to_string();
    let mut https = true;
    let mut replaced = Vec::new();
    let mut flags = flags.iter();
    while let Some(&flag) = flags.next() {
        replaced.push(flag.to_owned());
        let value = match flag {
            "--endpoint" => sandbox.endpoint().to_owned(),
            "--cert" => {
                https = false;
                file(&device.cert_file)
            }
            "--key" => file(&device.key_file),
            "--ca-file" => file(sandbox.ca_file()),
            "--region" | "--signing-region" => sandbox.region().to_owned(),
            "--access-key" => credentials.access_key_id.clone(),
            "--secret" => credentials.secret_access_key.clone(),
            "--session-token" => credentials.session_token.clone(),
            _ => continue,
        };
        flags.next();
        replaced.push(value);
    }
    if !replaced.iter().any(|flag| flag == "--ca-file") {
        replaced.extend(["--ca-file".to_owned(), file(sandbox.ca_file())]);
    }
    // Where the region follows from the account's endpoint it cannot from the sandbox's.
    let sample = sample.credentials(credentials).env("AWS_REGION", sandbox.region());
    let port = if https { sandbox.https_port() } else { sandbox.mqtt_port() };
    sample.args(replaced).args(["--port", &port.to_string()])
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn finds_commands_and_joins_continued_lines() {
        let text = "x\n```sh\n# comment\ncargo a \\\n  --b c\n\ncargo d\n```\n```text\ncargo e\n```\n";
        assert_eq!(commands(text), ["cargo a --b c", "cargo d"]);
    }
}
