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
        let package = package_field(manifest, "name").unwrap_or(folder).to_owned();
        let title = first_line_of_prose(readme)
            .or_else(|| package_field(manifest, "description").map(str::to_owned))
            .unwrap_or_else(|| package.clone());
        Self { folder: folder.to_owned(), package, title }
    }
}

/// A string field of a manifest's `[package]` table; enough of TOML for the one-line fields asked for here.
fn package_field<'a>(manifest: &'a str, name: &str) -> Option<&'a str> {
    let table = manifest.lines().skip_while(|line| line.trim() != "[package]").skip(1);
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
        assert_eq!(package_field("[dependencies]\nname = \"x\"\n", "name"), None);
        assert_eq!(package_field("[package]\n[dependencies]\nname = \"x\"\n", "name"), None);
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
