//! The modules of a crate as its source files declare them; code under `cfg(test)` is left out.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, ItemUse, Lit, LitStr, Meta, Token, UseTree, Visibility};

/// One module; an inline one has the file of its parent.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<(String, usize)>,
    pub(crate) items: HashSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Each path that its code writes, also in macro calls and attributes.
    pub(crate) mentions: BTreeSet<Vec<String>>,
    /// Its string literals, also in macro calls and attributes, but for documentation.
    pub(crate) literals: Vec<String>,
}

impl Module {
    /// True if it declares or imports `name`, but for globs.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.items.contains(name)
            || self.children.iter().any(|(child, _)| child == name)
            || self.imports.iter().any(|import| import.name.as_deref() == Some(name))
    }
}

/// One leaf of a `use` tree.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// None for a glob.
    pub(crate) name: Option<String>,
    pub(crate) is_re_export: bool,
}

/// The modules below the root file of a crate, which is the first of them.
pub(crate) fn read(root: &Path) -> Vec<Module> {
    let mut reader = Reader { modules: Vec::new(), current: 0, directory: PathBuf::new(), is_test: false };
    reader.read_file(None, root, directory(root).to_owned());
    reader.modules
}

struct Reader {
    modules: Vec<Module>,
    current: usize,
    /// Where the files of the modules lie that the current one declares.
    directory: PathBuf,
    is_test: bool,
}

impl Reader {
    fn read_file(&mut self, parent: Option<usize>, path: &Path, children: PathBuf) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.inside(parent, path, children, |reader| reader.visit_file(&file));
    }

    fn inside(
        &mut self,
        parent: Option<usize>,
        file: &Path,
        children: PathBuf,
        read: impl FnOnce(&mut Self),
    ) {
        self.modules.push(Module { file: file.to_owned(), parent, ..Module::default() });
        let outer = (self.current, std::mem::replace(&mut self.directory, children), self.is_test);
        self.current = self.modules.len() - 1;
        read(self);
        (self.current, self.directory, self.is_test) = outer;
    }

    fn module(&mut self) -> &mut Module {
        &mut self.modules[self.current]
    }

    fn mention(&mut self, path: Vec<String>) {
        if !self.is_test {
            self.module().mentions.insert(path);
        }
    }

    fn import(&mut self, tree: &UseTree, path: &[String], is_re_export: bool) {
        let with = |name: &syn::Ident| [path, &[name.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(tree) => return self.import(&tree.tree, &with(&tree.ident), is_re_export),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path, is_re_export));
            }
            UseTree::Glob(_) => (path.to_owned(), None),
            UseTree::Name(tree) if tree.ident == "self" => (path.to_owned(), path.last().cloned()),
            UseTree::Name(tree) => (with(&tree.ident), Some(tree.ident.to_string())),
            UseTree::Rename(tree) if tree.ident == "self" => (path.to_owned(), Some(tree.rename.to_string())),
            UseTree::Rename(tree) => (with(&tree.ident), Some(tree.rename.to_string())),
        };
        self.module().imports.push(Import { path, name, is_re_export });
    }
}

/// Visits nodes that attributes can stand on: a `cfg(test)` holds until the end of its node.
macro_rules! scopes {
    ($($visit:ident: $node:ident),* $(,)?) => {
        $(fn $visit(&mut self, node: &'ast syn::$node) {
            let outer = self.is_test;
            visit::$visit(self, node);
            self.is_test = outer;
        })*
    };
}

impl<'ast> Visit<'ast> for Reader {
    scopes!(
        visit_arm: Arm, visit_expr: Expr, visit_field: Field, visit_field_value: FieldValue,
        visit_impl_item: ImplItem, visit_stmt: Stmt, visit_trait_item: TraitItem, visit_variant: Variant,
    );

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        let condition = attribute.path().is_ident("cfg").then(|| attribute.parse_args::<Meta>());
        self.is_test |= condition.is_some_and(|parsed| parsed.is_ok_and(|meta| requires_test(&meta)));
        visit::visit_attribute(self, attribute);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        let outer = self.is_test;
        visit::visit_item(self, item);
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name.filter(|_| !self.is_test) {
            self.module().items.insert(name.to_string());
        }
        self.is_test = outer;
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        if self.is_test {
            return;
        }
        let (name, parent, file) = (item.ident.to_string(), self.current, self.module().file.clone());
        let next = self.modules.len();
        self.module().children.push((name.clone(), next));
        let below = self.directory.join(&name);
        if let Some((_, items)) = &item.content {
            return self.inside(Some(parent), &file, below, |reader| {
                items.iter().for_each(|item| reader.visit_item(item));
            });
        }
        if let Some(path) = item.attrs.iter().find_map(path_attribute) {
            let is_inline = self.module().parent.is_some_and(|above| self.modules[above].file == file);
            let path = if is_inline { self.directory.join(path) } else { directory(&file).join(path) };
            return self.read_file(Some(parent), &path, directory(&path).to_owned());
        }
        let flat = below.with_extension("rs");
        let path = if flat.exists() { flat } else { below.join("mod.rs") };
        self.read_file(Some(parent), &path, below);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        if !self.is_test && item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        if !self.is_test {
            self.module().literals.push(literal.value());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        let mut tokens = tokens.clone().into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.visit_token_stream(&group.stream()),
                TokenTree::Ident(ident) => {
                    let mut path = vec![ident.to_string()];
                    while let Some(segment) = next_segment(&mut tokens) {
                        path.push(segment);
                    }
                    self.mention(path);
                }
                TokenTree::Literal(literal) => {
                    if let Ok(literal) = syn::parse_str(&literal.to_string()) {
                        self.visit_lit_str(&literal);
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }
}

/// The identifier behind the `::` that comes next.
fn next_segment(tokens: &mut Peekable<impl Iterator<Item = TokenTree>>) -> Option<String> {
    for _ in 0..2 {
        tokens.next_if(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':'))?;
    }
    Some(tokens.next_if(|token| matches!(token, TokenTree::Ident(_)))?.to_string())
}

fn directory(file: &Path) -> &Path {
    file.parent().expect("a file lies in a directory")
}

fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) if pair.path.is_ident("path") => Some(path.value()),
        _ => None,
    }
}

fn requires_test(condition: &Meta) -> bool {
    match condition {
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(requires_test)),
        _ => condition.path().is_ident("test"),
    }
}
