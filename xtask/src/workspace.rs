//! Where things are: the workspace, its scratch space and its samples.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use sample_manifest::Manifest;

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
    /// What it shows, in one line.
    pub(crate) title: String,
    pub(crate) manifest: Manifest,
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
        let manifests = Manifest::read_all(&self.root.join("samples"))?;
        Ok(manifests.into_iter().map(Sample::new).collect())
    }

    /// The sample with this folder or package name.
    pub(crate) fn sample(&self, name: &str) -> Result<Sample> {
        let samples = self.samples()?;
        let found = samples.iter().find(|sample| sample.folder == name || sample.manifest.package == name);
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
    fn new(manifest: Manifest) -> Self {
        let readme = fs::read_to_string(manifest.folder().join("README.md")).unwrap_or_default();
        Self::titled(manifest, &readme)
    }

    fn titled(manifest: Manifest, readme: &str) -> Self {
        let folder = manifest.folder().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let title = first_line_of_prose(readme)
            .or_else(|| manifest.description.clone())
            .unwrap_or_else(|| manifest.package.clone());
        Self { folder, title, manifest }
    }
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

    fn sample(folder: &str, manifest: &str, readme: &str) -> Sample {
        let path = Path::new("samples").join(folder).join("Cargo.toml");
        Sample::titled(Manifest::parse(path, manifest).unwrap(), readme)
    }

    #[test]
    fn package_name_may_differ_from_the_folder() {
        let sample = sample("sigv4_connect", MANIFEST, "");
        assert_eq!(sample.folder, "sigv4_connect");
        assert_eq!(sample.manifest.package, "sigv4_websocket_connect");
        assert_eq!(sample.title, "By SigV4");
    }

    #[test]
    fn readme_gives_the_title() {
        let readme = "# pubsub\n\n[![ci](x)](y)\n\nShows **mutual TLS** with `rustls`,\nand more.\n";
        assert_eq!(sample("pubsub", MANIFEST, readme).title, "Shows mutual TLS with rustls,");
    }

    #[test]
    fn field_outside_the_package_table_is_not_taken() {
        for text in ["[dependencies]\nname = \"x\"\n", "[package]\n[dependencies]\nname = \"x\"\n"] {
            assert!(Manifest::parse(PathBuf::from("Cargo.toml"), text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_takes_a_person_says_why() {
        assert_eq!(sample("sigv4_connect", MANIFEST, "").manifest.by_hand, None);
        let manifest = format!("{MANIFEST}[package.metadata.xtask]\nby-hand = \"needs a token\"\n");
        assert_eq!(sample("x", &manifest, "").manifest.by_hand.as_deref(), Some("needs a token"));
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
            assert_eq!(workspace.sample(&sample.manifest.package).unwrap(), sample);
        }
    }
}
