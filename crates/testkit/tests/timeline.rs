//! `--timeline` is for every sample.

use std::fs;

use testkit::{Outcome, readme, workspace};

#[test]
fn every_sample_has_it_and_shows_it_what_to_draw() {
    for entry in fs::read_dir(workspace().join("samples")).unwrap() {
        let sample = entry.unwrap().path();
        let read = |file: &str| fs::read_to_string(sample.join(file)).unwrap();
        let manifest = read("Cargo.toml");
        let package =
            manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"');

        let mut help = readme::cargo();
        help.args(["run", "--quiet", "--package", package, "--", "--help"]);
        let help = Outcome::of_within(&mut help, Outcome::BUILD_LIMIT).succeeded();
        assert!(
            help.stdout.split_whitespace().any(|word| word == "--timeline"),
            "{package}: {}",
            help.stdout
        );
        assert!(read("README.md").contains("\n| `--timeline` | off | "), "the README of {package}");
        // Without it the flag would find nothing to draw.
        assert!(read("src/main.rs").contains("\n    out.watch(&"), "main of {package}");
    }
}
