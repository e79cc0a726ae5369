//! Runs the commands of a README, so that they cannot rot.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use sandbox::{Proxies, Sandbox};

use crate::{Outcome, ProtectedKey, Sample, SoftHsm, workspace};

/// Runs every command in the `sh` blocks of a sample's README.
///
/// `cargo xtask …` runs as it stands. `cargo run -p <package> -- <flags>` is meant for an AWS account: it runs
/// `binary` with the same flags, with the account's values (endpoint, files, region, keys) replaced by the
/// sandbox's. Anything else is a mistake in the README, unless it is an `aws` command or an `export`, or makes keys and
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
    let protected = ProtectedKey::of(sandbox.device());
    let path = sample.join("README.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(flags_of_table(&text), flags_of_help(binary), "{}: its table, and --help", path.display());
    let hsm = text.contains("--pkcs11-lib").then(|| token(sandbox));
    let (mut local, mut account) = (0, 0);
    for command in commands(&text) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "xtask", ..] => {
                xtask(&words[2..]).succeeded();
                local += 1;
            }
            ["cargo", "run", "-p", name, "--", ..] if name == package => {
                let stand_ins = StandIns { sandbox, protected: &protected, hsm: hsm.as_ref() };
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
    let protected = ProtectedKey::of(sandbox.device());
    let text = fs::read_to_string(document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
    let (mut local, mut account) = (0, 0);
    for command in commands(&text) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "xtask", "doctor", ..] if words.contains(&"--endpoint") => {
                let stand_ins = StandIns { sandbox, protected: &protected, hsm: None };
                replace_account(Sample::new(binary), &words[3..], &stand_ins).run().succeeded();
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
    protected: &'a ProtectedKey,
    hsm: Option<&'a SoftHsm>,
}

fn replace_account(sample: Sample, flags: &[&str], stand_ins: &StandIns<'_>) -> Sample {
    let StandIns { sandbox, protected, hsm } = *stand_ins;
    let sample = match hsm {
        Some(hsm) => sample.env("SOFTHSM2_CONF", hsm.config()),
        None => sample,
    };
    let connects = !flags.contains(&"--list");
    let device = sandbox.device();
    let credentials = sandbox.credentials();
    let cognito = sandbox.cognito();
    let provider = sandbox.credentials_provider();
    let file = |path: &Path| path.display().to_string();
    let holding = |name: &str, secret: &str| {
        let path = sample.home().join(name);
        fs::write(&path, secret).expect("the home folder is writable");
        file(&path)
    };
    let login_is_given = flags.contains(&"--proxy-user-file");
    let key_is_protected = flags.contains(&"--key-password-file");
    let x509_key_is_protected = flags.contains(&"--x509-key-password-file");
    let authorizer = replaced_authorizer(&sample, flags, sandbox);
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
            "--key" if key_is_protected => file(&protected.key_file()),
            "--key" => file(&device.key_file),
            "--key-password-file" | "--x509-key-password-file" | "--pkcs12-password-file" => {
                file(&protected.password_file())
            }
            "--pkcs12-file" => {
                https = false;
                file(&protected.pkcs12_file())
            }
            "--cert-store" => {
                https = false;
                r"CurrentUser\MY\0000000000000000000000000000000000000000".to_owned()
            }
            "--pkcs11-lib" => SoftHsm::library().to_owned(),
            "--pkcs11-uri" => format!(
                "pkcs11:token=my-token;object=my-key?module-path={}&pin-source={}",
                SoftHsm::library(),
                pin_file(hsm)
            ),
            "--pin-file" => pin_file(hsm),
            "--ca-file" | "--proxy-ca-file" => file(sandbox.ca_file()),
            "--proxy" => proxy_like(flags.clone().next().copied(), login_is_given, sandbox.proxies()),
            "--proxy-user-file" => holding("proxy-user", user_of(&sandbox.proxies().http_auth).0),
            "--proxy-host" => "127.0.0.1".to_owned(),
            "--proxy-port" => port_of(&sandbox.proxies().http).to_owned(),
            "--region" | "--signing-region" => sandbox.region().to_owned(),
            "--access-key" => credentials.access_key_id.clone(),
            "--secret" => credentials.secret_access_key.clone(),
            "--secret-file" => holding("secret", &credentials.secret_access_key),
            "--session-token" => credentials.session_token.clone(),
            "--session-token-file" => holding("session-token", &credentials.session_token),
            "--cognito-identity" => cognito.identity_id.clone(),
            "--cognito-identity-pool" => cognito.identity_pool_id.clone(),
            "--login-file" => {
                format!("{}={}", cognito.login_provider, holding("login", &cognito.login_token))
            }
            "--x509-endpoint" => provider.endpoint.clone(),
            "--x509-role-alias" => provider.role_alias.clone(),
            "--x509-thing-name" => device.thing_name.clone(),
            "--x509-cert" => file(&device.cert_file),
            "--x509-key" if x509_key_is_protected => file(&protected.key_file()),
            "--x509-key" => file(&device.key_file),
            _ => match authorizer.iter().find(|(name, _)| *name == flag) {
                Some((_, value)) => value.clone(),
                None => continue,
            },
        };
        flags.next();
        replaced.push(value);
    }
    if !connects {
        return sample.args(replaced);
    }
    if !replaced.iter().any(|flag| flag == "--ca-file") {
        replaced.extend(["--ca-file".to_owned(), file(sandbox.ca_file())]);
    }
    // Where the region follows from the account's endpoint it cannot from the sandbox's.
    let sample = sample.credentials(credentials).env("AWS_REGION", sandbox.region());
    // A service's endpoint has no flag.
    let sample = sample.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint);
    let sample = sample.env("AWS_IOT_PKCS12_PASSWORD", ProtectedKey::PASSWORD);
    let port = if https { sandbox.https_port() } else { sandbox.mqtt_port() };
    sample.args(replaced).args(["--port", &port.to_string()])
}

/// The flags of a custom authorizer with the sandbox's values: those of the one with signing where a token is sent. The
/// files are made in the sample's home.
fn replaced_authorizer(sample: &Sample, flags: &[&str], sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let authorizers = sandbox.authorizers();
    let (signed, unsigned) = (&authorizers.signed, &authorizers.unsigned);
    let file = |name: &str, content: &str| {
        let path = sample.home().join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path.display().to_string()
    };
    let (name, username, password) = match flags.contains(&"--auth-token-key-name") {
        true => (&signed.name, &signed.username, &signed.password),
        false => (&unsigned.name, &unsigned.username, &unsigned.password),
    };
    vec![
        ("--authorizer-name", name.clone()),
        ("--auth-username", username.clone()),
        ("--auth-password", password.clone()),
        ("--auth-password-file", file("password", password)),
        ("--auth-token-key-name", signed.token_key_name.clone()),
        ("--auth-token-value", signed.token_value.clone()),
        ("--auth-token-value-file", file("token", &signed.token_value)),
        ("--auth-signature", signed.token_signature.clone()),
        ("--auth-signature-file", file("signature", &signed.token_signature)),
    ]
}

/// The sandbox's proxy of the same scheme; without its login, which the sample then gets in a file.
fn proxy_like(example: Option<&str>, has_login: bool, proxies: &Proxies) -> String {
    let example = example.unwrap_or_default();
    let url = match example.split_once("://").map(|(scheme, _)| (scheme, has_login)) {
        Some(("http", false)) => &proxies.http,
        Some(("http", true)) => &proxies.http_auth,
        Some(("https", false)) => &proxies.https,
        Some(("socks5h", false)) => &proxies.socks5,
        Some(("socks5h", true)) => &proxies.socks5_auth,
        _ => panic!("the sandbox has no proxy like {example}, login: {has_login}"),
    };
    user_of(url).1
}

/// `user:password` of a URL, and the URL without.
fn user_of(url: &str) -> (&str, String) {
    let (scheme, rest) = url.split_once("://").expect("it has a scheme");
    let (user, address) = rest.rsplit_once('@').unwrap_or(("", rest));
    (user, format!("{scheme}://{address}"))
}

fn port_of(url: &str) -> &str {
    url.rsplit(':').next().expect("there is one part at least")
}

/// The token that READMEs speak of, with the key of the sandbox's device.
fn token(sandbox: &Sandbox) -> SoftHsm {
    let hsm = SoftHsm::new();
    hsm.init_token("my-token");
    hsm.import("my-token", &sandbox.device().key_file, "my-key", "01");
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
