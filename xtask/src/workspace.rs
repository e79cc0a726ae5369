//! Where things are: the workspace, its scratch space and its samples.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

use crate::hint;

/// The checkout that this binary was built from.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// One folder under `samples/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The folder's name, which is also the policy's.
    pub(crate) folder: String,
    /// The Cargo package, which is also the binary.
    pub(crate) package: String,
    /// What it shows, in one line.
    pub(crate) title: String,
    /// Why it takes a person to run it: what it needs beside the sandbox. `by-hand` of `[package.metadata.xtask]`.
    pub(crate) by_hand: Option<String>,
}

impl Workspace {
    /// Finds the root: cargo names the manifest folder at run time, so a checkout that was moved still works.
    pub(crate) fn locate() -> Result<Self> {
        let xtask = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = xtask.parent().context("the xtask folder has no parent")?.to_owned();
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The benchmark, a Cargo workspace of its own that shares `target/`.
    pub(crate) fn bench(&self) -> PathBuf {
        self.root.join("crates/bench")
    }

    /// A place below `target/`, which git ignores and `cargo clean` empties.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.root.join("target").join(name)
    }

    pub(crate) fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// All samples, by folder name.
    pub(crate) fn samples(&self) -> Result<Vec<Sample>> {
        let folder = self.root.join("samples");
        let mut samples = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry?;
            let manifest = entry.path().join("Cargo.toml");
            if !manifest.is_file() {
                continue;
            }
            let text = fs::read_to_string(&manifest)
                .with_context(|| format!("cannot read {}", manifest.display()))?;
            let readme = fs::read_to_string(entry.path().join("README.md")).unwrap_or_default();
            samples.push(Sample::read(&entry.file_name().to_string_lossy(), &text, &readme));
        }
        samples.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(samples)
    }

    /// The sample with this folder or package name.
    pub(crate) fn sample(&self, name: &str) -> Result<Sample> {
        let samples = self.samples()?;
        let found = samples.iter().find(|sample| sample.folder == name || sample.package == name);
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = samples.iter().map(|sample| sample.folder.as_str()).collect();
            hint::usage(
                format!("no sample is named `{name}`"),
                format!("the samples are: {}", names.join(", ")),
            )
        })
    }
}

impl Sample {
    fn read(folder: &str, manifest: &str, readme: &str) -> Self {
        let package = field(manifest, "package", "name").unwrap_or(folder).to_owned();
        let title = first_line_of_prose(readme)
            .or_else(|| field(manifest, "package", "description").map(str::to_owned))
            .unwrap_or_else(|| package.clone());
        let by_hand = field(manifest, "package.metadata.xtask", "by-hand").map(str::to_owned);
        Self { folder: folder.to_owned(), package, title, by_hand }
    }
}

/// A string field of one of a manifest's tables; enough of TOML for the one-line fields asked for here.
fn field<'a>(manifest: &'a str, table: &str, name: &str) -> Option<&'a str> {
    let header = format!("[{table}]");
    let table = manifest.lines().skip_while(|line| line.trim() != header).skip(1);
    table.take_while(|line| !line.trim_start().starts_with('[')).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
        (key.trim() == name).then_some(value)
    })
}

/// The first line of a README's first paragraph, without Markdown's marks.
fn first_line_of_prose(readme: &str) -> Option<String> {
    let line = readme.lines().map(str::trim).find(|line| {
        !line.is_empty() && !["#", "[!", "![", "<", "---", "==="].iter().any(|mark| line.starts_with(mark))
    })?;
    Some(line.replace(['`', '*'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"sigv4_websocket_connect\"\nversion.workspace = true\n\
        description = \"By SigV4\"\n\n[dependencies]\nname = \"not this one\"\n";

    #[test]
    fn package_name_may_differ_from_the_folder() {
        let sample = Sample::read("sigv4_connect", MANIFEST, "");
        assert_eq!(sample.package, "sigv4_websocket_connect");
        assert_eq!(sample.title, "By SigV4");
    }

    #[test]
    fn readme_gives_the_title() {
        let readme = "# pubsub\n\n[![ci](x)](y)\n\nShows **mutual TLS** with `rustls`,\nand more.\n";
        assert_eq!(Sample::read("pubsub", MANIFEST, readme).title, "Shows mutual TLS with rustls,");
    }

    #[test]
    fn field_outside_the_package_table_is_not_taken() {
        assert_eq!(field("[dependencies]\nname = \"x\"\n", "package", "name"), None);
        assert_eq!(field("[package]\n[dependencies]\nname = \"x\"\n", "package", "name"), None);
    }

    #[test]
    fn what_takes_a_person_says_why() {
        assert_eq!(Sample::read("sigv4_connect", MANIFEST, "").by_hand, None);
        let manifest = format!("{MANIFEST}[package.metadata.xtask]\nby-hand = \"needs a token\"\n");
        assert_eq!(Sample::read("x", &manifest, "").by_hand.as_deref(), Some("needs a token"));
    }

    #[test]
    fn unknown_sample_lists_the_known_ones() {
        let workspace = Workspace::locate().unwrap();
        let error = workspace.sample("no_such_sample").unwrap_err();
        assert!(error.to_string().contains("no_such_sample"));
        assert!(hint::of(&error).unwrap().contains("pubsub"));
    }

    #[test]
    fn every_sample_is_found_by_either_name() {
        let workspace = Workspace::locate().unwrap();
        for sample in workspace.samples().unwrap() {
            assert_eq!(workspace.sample(&sample.folder).unwrap(), sample);
            assert_eq!(workspace.sample(&sample.package).unwrap(), sample);
        }
    }
}
