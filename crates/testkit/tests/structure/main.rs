//! The structure of the workspace: the files of a crate form no circle by the items that they use, only the folder
//! `iot-client/src/paho` knows paho, only `common::args` knows flags, and a crate's dependencies hold no more than it may
//! know.

mod graph;
mod resolver;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use graph::Graph;
use proc_macro2::{TokenStream, TokenTree};
use testkit::{Outcome, workspace};

/// Uses that may be part of a circle: the user, the used, and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// The folders that may use paho.
const PAHO: &[&str] = &["crates/iot-client/src/paho", "crates/bench"];

/// The packages that do not know flags, but for the folder [`ARGS`].
const LIBRARIES: &[&str] = &["common", "crates/iot-client", "crates/iot-transport"];

/// The folder that turns flags into settings.
const ARGS: &str = "common/src/args";

#[test]
fn files_form_no_circle() {
    let mut problems = String::new();
    let mut exceptions = EXCEPTIONS.to_vec();
    for package in packages() {
        let mut graph = Graph::of(&workspace(), &workspace().join(&package).join("src"));
        exceptions.retain(|(user, used, _)| !graph.allow(user, used));
        for path in &graph.unresolved {
            problems += &format!("the resolver of this test does not find {path}\n");
        }
        problems += &graph.describe_circles();
    }
    for (user, used, _) in exceptions {
        problems += &format!("{user} uses {used} in no circle: the exception is not needed\n");
    }
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn only_the_paho_folder_uses_paho() {
    let mut users = Vec::new();
    for package in packages() {
        visit(&workspace().join(package), &mut |file| {
            let text = fs::read_to_string(file).unwrap();
            if text.contains("paho_mqtt") && mentions(text.parse().unwrap(), "paho_mqtt") {
                users.push(file.strip_prefix(workspace()).unwrap().to_owned());
            }
        });
    }
    users.retain(|file| !PAHO.iter().any(|allowed| file.starts_with(allowed)));
    assert!(users.is_empty(), "paho_mqtt is used outside of {}: {users:?}", PAHO[0]);
}

#[test]
fn no_crate_depends_on_more_than_it_may_know() {
    let command_line = ["clap", "env_logger", "rpassword"];
    let sdk = ["aws-config", "aws-sdk-", "aws-smithy-"];
    for (package, forbidden) in [
        ("iot-transport", [&command_line[..], &sdk, &["paho-mqtt"]].concat()),
        ("iot-client", [&command_line[..], &sdk].concat()),
        ("common", command_line.to_vec()),
    ] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
            package,
        ]);
        if package == "common" {
            cargo.arg("--no-default-features");
        }
        let tree = Outcome::of(cargo.current_dir(workspace())).succeeded().stdout;
        assert!(tree.starts_with(package), "{tree}");
        let found: Vec<_> =
            tree.lines().filter(|line| forbidden.iter().any(|name| line.starts_with(name))).collect();
        assert!(found.is_empty(), "{package} depends on {found:?}");
    }
}

#[test]
fn only_args_names_flags() {
    let mut problems = String::new();
    for package in LIBRARIES {
        for module in source::read(&workspace().join(package).join("src/lib.rs")) {
            let file = module.file.strip_prefix(workspace()).unwrap();
            for literal in module.literals.iter().filter(|text| !file.starts_with(ARGS) && names_flag(text)) {
                problems += &format!("{}: {literal:?}\n", file.display());
            }
        }
    }
    assert!(
        problems.is_empty(),
        "flags are named outside of {ARGS}; iot_transport::Setting can:\n{problems}"
    );
}

#[test]
fn flags_of_foreign_commands_may_be_named() {
    for text in ["--ipv6", "leave --ipv6 out", "name it (--pin-file)", "use `--list`, not `aws iot x --y`"] {
        assert!(names_flag(text), "{text}");
    }
    for text in ["`aws iot x --y`", "-----BEGIN A-----", "---", "a--b", "-- c", "--"] {
        assert!(!names_flag(text), "{text}");
    }
}

/// True if a text names a flag that is not of a command of the AWS CLI before it.
fn names_flag(text: &str) -> bool {
    text.match_indices("--").any(|(start, _)| {
        let (before, flag) = (&text[..start], &text[start + 2..]);
        let is_flag = flag.starts_with(|first: char| first.is_ascii_lowercase())
            && !before.ends_with(|last: char| last.is_alphanumeric() || last == '-');
        is_flag && !before.contains("aws ")
    })
}

/// The folders of all packages.
fn packages() -> Vec<String> {
    let mut packages = vec!["common".to_owned(), "xtask".to_owned()];
    for group in ["crates", "samples"] {
        for entry in fs::read_dir(workspace().join(group)).unwrap() {
            packages.push(format!("{group}/{}", entry.unwrap().file_name().into_string().unwrap()));
        }
    }
    packages.retain(|package| workspace().join(package).join("Cargo.toml").exists());
    packages
}

/// Shows `see` each Rust file below `folder`, but for what cargo builds there.
fn visit(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path);
        }
    }
}

fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        _ => false,
    })
}
