//! The structure of the workspace: the files of a crate form no circle by the items that they use, and only the folder
//! `iot-client/src/paho` knows paho.

mod graph;
mod resolver;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use graph::Graph;
use proc_macro2::{TokenStream, TokenTree};
use testkit::workspace;

/// Uses that may be part of a circle: the user, the used, and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// The folders that may use paho.
const PAHO: &[&str] = &["crates/iot-client/src/paho", "crates/bench"];

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
