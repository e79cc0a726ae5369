//! The graph of a crate's files: one uses another if it names an item that the other defines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::source::{self, Module};

#[derive(Default)]
pub(crate) struct Graph {
    /// The items, by the file that uses them and the one that defines them.
    pub(crate) uses: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Paths into the crate that lead nowhere: the resolver does not understand them.
    pub(crate) unresolved: Vec<String>,
}

impl Graph {
    /// Reads the crates whose roots lie in `sources`, the library and the binaries. Files are named as seen from
    /// `base`.
    pub(crate) fn of(base: &Path, sources: &Path) -> Self {
        let mut graph = Self::default();
        let binaries =
            sources.join("bin").read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
        for root in ["lib.rs", "main.rs"].map(|name| sources.join(name)).into_iter().chain(binaries) {
            if root.is_file() {
                graph.add(base, &source::read(&root));
            }
        }
        graph
    }

    fn add(&mut self, base: &Path, modules: &[Module]) {
        let name = |file: &Path| file.strip_prefix(base).unwrap_or(file).display().to_string();
        for (index, module) in modules.iter().enumerate() {
            let imports =
                module.imports.iter().filter(|import| !import.is_re_export).map(|import| &import.path);
            for path in imports.chain(&module.mentions) {
                let targets = resolve(modules, index, path, &mut Vec::new());
                if targets.is_empty() {
                    self.unresolved.push(format!("{}: {}", name(&module.file), path.join("::")));
                }
                for Item { file, name: item } in targets.into_iter().flatten() {
                    if *file != module.file {
                        let used = self.uses.entry(name(&module.file)).or_default();
                        used.entry(name(file)).or_default().insert(item);
                    }
                }
            }
        }
    }

    /// Forgets that `user` uses `used`; true if it was part of a circle.
    pub(crate) fn allow(&mut self, user: &str, used: &str) -> bool {
        let returns = self.reached_from(used).contains(user);
        self.uses.get_mut(user).is_some_and(|uses| uses.remove(used).is_some()) && returns
    }

    /// Names each strongly connected component of more than one file, its uses and the items that make them.
    pub(crate) fn describe_circles(&self) -> String {
        let mut text = String::new();
        for circle in self.circles() {
            writeln!(text, "{} files form a circle:", circle.len()).unwrap();
            for user in &circle {
                for (used, items) in
                    self.uses[*user].iter().filter(|(used, _)| circle.contains(used.as_str()))
                {
                    let items = Vec::from_iter(items.iter().map(String::as_str)).join(", ");
                    writeln!(text, "  {user} uses {used}: {items}").unwrap();
                }
            }
        }
        text
    }

    fn circles(&self) -> Vec<BTreeSet<&str>> {
        let mut circles: Vec<BTreeSet<&str>> = Vec::new();
        for user in self.uses.keys().map(String::as_str) {
            if circles.iter().all(|circle| !circle.contains(user)) {
                let mut circle = self.reached_from(user);
                circle.retain(|file| self.reached_from(file).contains(user));
                circles.extend((!circle.is_empty()).then_some(circle));
            }
        }
        circles
    }

    fn reached_from<'a>(&'a self, file: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![file];
        while let Some(file) = open.pop() {
            let used = self.uses.get(file).into_iter().flat_map(|uses| uses.keys().map(String::as_str));
            open.extend(used.filter(|used| reached.insert(*used)));
        }
        reached
    }
}

struct Item<'a> {
    file: &'a Path,
    name: String,
}

/// Nothing where it cannot be found; `None` for a module, and for what is another crate's or a local name.
type Found<'a> = Vec<Option<Item<'a>>>;

/// Finds what `path` names where `module` writes it; `taken` are the imports that are being followed.
fn resolve<'a>(
    modules: &'a [Module],
    module: usize,
    path: &[String],
    taken: &mut Vec<(usize, usize)>,
) -> Found<'a> {
    let (mut start, mut rest) = (module, path);
    while let [head, tail @ ..] = rest {
        start = match head.as_str() {
            "crate" => 0,
            "self" => start,
            "super" => modules[start].parent.unwrap_or(0),
            _ => break,
        };
        rest = tail;
    }
    let found = within(modules, start, rest, taken);
    let is_inside = rest.len() < path.len() || modules[module].has(&path[0]);
    if found.is_empty() && !is_inside { vec![None] } else { found }
}

/// Finds what `path` names as seen from outside `module`: a child, an item, an import or what a glob brings.
fn within<'a>(
    modules: &'a [Module],
    module: usize,
    path: &[String],
    taken: &mut Vec<(usize, usize)>,
) -> Found<'a> {
    let [name, rest @ ..] = path else { return vec![None] };
    let here = &modules[module];
    let mut found = Vec::new();
    for (_, child) in here.children.iter().filter(|(child, _)| child == name) {
        found.extend(within(modules, *child, rest, taken));
    }
    if here.items.contains(name) {
        found.push(Some(Item { file: &here.file, name: name.clone() }));
    }
    for is_glob in [false, true] {
        if is_glob && !found.is_empty() {
            break;
        }
        for (index, import) in here.imports.iter().enumerate() {
            let brings = import.name.as_ref().map_or(is_glob, |own| !is_glob && own == name);
            if brings && taken.contains(&(module, index)) {
                // An import of the crate's name from the crate of that name: `use anyhow::anyhow`.
                found.push(None);
            } else if brings {
                taken.push((module, index));
                let behind = if is_glob { path } else { rest };
                found.extend(resolve(modules, module, &[&import.path, behind].concat(), taken));
                taken.pop();
            }
        }
    }
    found
}
