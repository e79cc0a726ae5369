//! Runs the commands of a README, so that they cannot rot.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use sample_manifest::{Invocation, Manifest, Variable};
use sandbox::Sandbox;
use serde_json::json;

use crate::{Outcome, ProtectedKey, Sample, SoftHsm, workspace};

/// Runs every command in the `sh` blocks of a sample's README.
///
/// `cargo xtask …` runs as it stands. `cargo run -p <package> -- <flags>` is meant for an AWS account: it runs
/// `binary` with the same flags, with the account's values (endpoint, files, region, keys) replaced by the
/// sandbox's, as the sample's manifest has them. Anything else is a mistake in the README, unless it is an `aws` command or an `export`, or makes keys and
/// files (`openssl`, `printf`).
///
/// # Panics
///
/// When a command fails, is of no known kind, or when one of the two kinds is missing, and when the flags of the table of
/// arguments are not those of `--help`.
pub fn commands_work(sample: &Path, package: &str, binary: &str, sandbox: &Sandbox) {
    commands_end(sample, package, binary, sandbox, |outcome| {
        outcome.succeeded();
    });
}

/// As [`commands_work`], for a sample that does not run on this system: `check` says how its commands for an AWS
/// account end here.
///
/// # Panics
///
/// As [`commands_work`], and when `check` does.
pub fn commands_end(sample: &Path, package: &str, binary: &str, sandbox: &Sandbox, check: impl Fn(Outcome)) {
    let path = sample.join("README.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(flags_of_table(&text), flags_of_help(binary), "{}: its table, and --help", path.display());
    let stand_ins = StandIns::of(sample, sandbox);
    let (mut local, mut account) = (0, 0);
    for command in commands(&text) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "xtask", ..] => {
                xtask(&words[2..]).succeeded();
                local += 1;
            }
            ["cargo", "run", "-p", name, "--", ..] if name == package => {
                check(replace_account(Sample::new(binary), &words[5..], &stand_ins).run());
                account += 1;
            }
            ["cargo", "build", ..] | ["aws" | "export" | "openssl" | "printf", ..] => {}
            _ => panic!("{}: what is {command:?}?", path.display()),
        }
    }
    assert!(local > 0, "{} has no command for the sandbox", path.display());
    assert!(account > 0, "{} has no command for an AWS account", path.display());
}

/// Runs every `cargo xtask doctor` in the `sh` blocks of a document: as it stands, or, where it names an endpoint, as
/// `binary` with the values of the AWS account replaced by the sandbox's.
///
/// # Panics
///
/// When a command fails, and when one of the two kinds is missing.
pub fn doctor_works(document: &Path, binary: &Path, sandbox: &Sandbox) {
    let samples = workspace().join("samples");
    let [device, keys] = ["pubsub", "sigv4_connect"].map(|name| StandIns::of(&samples.join(name), sandbox));
    let text = fs::read_to_string(document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
    let (mut local, mut account) = (0, 0);
    for command in commands(&text) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "xtask", "doctor", ..] if words.contains(&"--endpoint") => {
                let stand_ins = if words.contains(&"--cert") { &device } else { &keys };
                replace_account(Sample::new(binary), &words[3..], stand_ins).run().succeeded();
                account += 1;
            }
            ["cargo", "xtask", "doctor", ..] => {
                xtask(&words[2..]).succeeded();
                local += 1;
            }
            _ => {}
        }
    }
    assert!(local > 0 && account > 0, "{}: {local} and {account} commands", document.display());
}

/// Runs `cargo xtask` with the toolchain and flags of the test itself, so that nothing is built twice.
#[must_use]
pub fn xtask(args: &[&str]) -> Outcome {
    Outcome::of_within(cargo().arg("xtask").args(args), Outcome::BUILD_LIMIT)
}

/// cargo in the workspace, without AWS settings, and as if the test had not been started by cargo.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    for (name, _) in env::vars_os() {
        // Not CARGO_PKG_* and the like: build scripts watch some of them.
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
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

/// The flags at the start of the rows of a README's table of arguments.
fn flags_of_table(readme: &str) -> BTreeSet<String> {
    let table = readme.lines().skip_while(|line| *line != "## Arguments").skip(1);
    let rows = table.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `-"));
    rows.filter_map(|row| row.split(" |").next()).flat_map(long_flags).map(str::to_owned).collect()
}

/// The flags that a program's `--help` lists, without those that every program has.
fn flags_of_help(binary: &str) -> BTreeSet<String> {
    let help = Sample::new(binary).args(["--help"]).run().succeeded().stdout;
    // What a flag means is further in, and may name other flags.
    let entries =
        help.lines().filter(|line| line.trim_start().starts_with('-') && !line.starts_with("       "));
    let flags = entries.filter_map(|entry| long_flags(entry).next());
    let aliases = help.split("[alias").skip(1).filter_map(|text| text.split_once(']'));
    let flags = flags.chain(aliases.flat_map(|(aliases, _)| long_flags(aliases)));
    flags.filter(|flag| !["--help", "--version"].contains(flag)).map(str::to_owned).collect()
}

fn long_flags(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| letter.is_whitespace() || "`,|".contains(letter));
    words.filter(|word| word.strip_prefix("--").is_some_and(|name| !name.is_empty()))
}

/// What the values of an AWS account are replaced by.
struct StandIns<'a> {
    sandbox: &'a Sandbox,
    protected: ProtectedKey,
    hsm: Option<SoftHsm>,
    /// Those of the sample's manifest, filled in.
    invocations: Vec<Invocation>,
}

impl<'a> StandIns<'a> {
    fn of(sample: &Path, sandbox: &'a Sandbox) -> Self {
        let manifest = Manifest::read(sample).unwrap_or_else(|error| panic!("{error:#}"));
        let contract = sandbox.write_contract().expect("the sandbox's folder is writable");
        let text = fs::read(contract).expect("the sandbox's file is there");
        let mut json: serde_json::Value = serde_json::from_slice(&text).expect("the sandbox's file is JSON");
        let hsm = manifest.refers_to("token").then(|| token(sandbox));
        if let Some(hsm) = &hsm {
            let (library, pin) = (SoftHsm::library(), SoftHsm::PIN);
            json["token"] = json!({ "library": library, "label": TOKEN, "pin": pin, "config": hsm.config() });
        }
        let filled = manifest.invocations.iter().map(|invocation| manifest.fill(invocation, &json));
        let invocations = filled.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error:#}"));
        Self { sandbox, protected: ProtectedKey::of(sandbox.device()), hsm, invocations }
    }

    /// The invocation that is most like a command: it has more of its flags than any other, and fewest beside them.
    fn like(&self, flags: &[&str]) -> &Invocation {
        let likeness = |invocation: &&Invocation| {
            let has = |name: &&&str| {
                invocation.flags.iter().any(|flag| flag.name == **name)
                    || secret_of(invocation, name).is_some()
            };
            let (common, all) =
                (flags.iter().filter(has).count(), invocation.flags.len() + invocation.env.len());
            (common, Reverse(all))
        };
        // The first of several.
        self.invocations.iter().rev().max_by_key(likeness).expect("the manifest says how to start the sample")
    }
}

/// A command's start with the sandbox's values in place of the account's.
fn replace_account(sample: Sample, flags: &[&str], stand_ins: &StandIns<'_>) -> Sample {
    let StandIns { sandbox, protected, hsm, .. } = stand_ins;
    let invocation = stand_ins.like(flags);
    let is_given = |flag: &str| flags.contains(&flag);
    let file = |flag: &str, secret: &str| {
        let path = sample.home().join(flag.trim_start_matches('-'));
        fs::write(&path, secret).expect("the home folder is writable");
        path.display().to_string()
    };
    let mut replaced = Vec::new();
    let mut words = flags.iter();
    while let Some(&flag) = words.next() {
        replaced.push(flag.to_owned());
        let value = match flag {
            "--key" | "--x509-key" if is_given(&format!("{flag}-password-file")) => {
                protected.key_file().display().to_string()
            }
            "--key-password-file" | "--x509-key-password-file" => {
                protected.password_file().display().to_string()
            }
            "--pkcs11-uri" => format!(
                "pkcs11:token={TOKEN};object=my-key?module-path={}&pin-source={}",
                SoftHsm::library(),
                pin_file(hsm.as_ref())
            ),
            // PROVIDER=FILE; the variable has the token in place of the file.
            "--login-file" => {
                let login = secret_of(invocation, flag).and_then(|login| login.split_once('='));
                let (provider, token) = login.expect("an invocation has a login");
                format!("{provider}={}", file(flag, token))
            }
            _ => match (value_of(invocation, flag), secret_of(invocation, flag)) {
                (Some(value), _) => value.to_owned(),
                (None, Some(secret)) => file(flag, secret),
                (None, None) => continue,
            },
        };
        words.next();
        replaced.push(value);
    }
    if !is_given("--list") {
        let more = ["--ca-file", "--port"].into_iter().filter(|flag| !is_given(flag));
        let more = more.filter_map(|flag| Some([flag, value_of(invocation, flag)?]));
        replaced.extend(more.flatten().map(str::to_owned));
    }
    // Where the region follows from the account's endpoint it cannot from the sandbox's.
    let sample = sample.env("AWS_REGION", sandbox.region());
    let is_in_file = |variable: &Variable| {
        let flag = variable.flag();
        flag.is_some_and(|flag| {
            is_given(&format!("{flag}-file")) || (flag == "--pin" && is_given("--pkcs11-uri"))
        })
    };
    let env = invocation.env.iter().filter(|variable| !is_in_file(variable));
    env.fold(sample, |sample, variable| sample.env(&variable.name, &variable.value)).args(replaced)
}

/// The value of a flag.
fn value_of<'a>(invocation: &'a Invocation, name: &str) -> Option<&'a str> {
    invocation.flags.iter().find(|flag| flag.name == name).and_then(|flag| flag.value.as_deref())
}

/// The secret that the file of a flag `--…-file` holds: an invocation has it in a variable, or in the flag without
/// `-file`.
fn secret_of<'a>(invocation: &'a Invocation, name: &str) -> Option<&'a str> {
    let flag = name.strip_suffix("-file")?;
    let variable = invocation.env.iter().find(|variable| variable.flag().as_deref() == Some(flag));
    variable.map(|variable| variable.value.as_str()).or_else(|| value_of(invocation, flag))
}

/// The label of the token that READMEs speak of.
const TOKEN: &str = "my-token";

/// The token that READMEs speak of, with the key of the sandbox's device.
fn token(sandbox: &Sandbox) -> SoftHsm {
    let hsm = SoftHsm::new();
    hsm.init_token(TOKEN);
    hsm.import(TOKEN, &sandbox.device().key_file, "my-key", "01");
    hsm
}

fn pin_file(hsm: Option<&SoftHsm>) -> String {
    let hsm = hsm.expect("a command with a PIN is one with a library");
    hsm.file("pin.txt", SoftHsm::PIN).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_flags_of_a_table() {
        let text = "## Arguments\n\n| flag | default |\n|---|---|\n| `--a-b <X>`, `--c` | `--d` |\n\
                    | `-v`, `--verbose` | off |\n## Troubleshooting\n| `--e is needed` | x |\n";
        assert_eq!(flags_of_table(text), BTreeSet::from(["--a-b", "--c", "--verbose"].map(str::to_owned)));
    }

    #[test]
    fn finds_commands_and_joins_continued_lines() {
        let text = "x\n```sh\n# comment\ncargo a \\\n  --b c\n\ncargo d\n```\n```text\ncargo e\n```\n";
        assert_eq!(commands(text), ["cargo a --b c", "cargo d"]);
    }
}
