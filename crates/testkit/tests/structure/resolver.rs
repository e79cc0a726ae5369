//! The reader and its graph, on crates of a few lines.

use std::fs;

use crate::graph::Graph;

fn graph(files: &[(&str, &str)]) -> Graph {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Graph::of(folder.path(), folder.path())
}

/// The uses as lines: the user, the used, the items.
fn uses(graph: &Graph) -> Vec<String> {
    let mut lines = Vec::new();
    for (user, uses) in &graph.uses {
        for (used, items) in uses {
            lines.push(format!("{user} {used}: {}", Vec::from_iter(items.clone()).join(" ")));
        }
    }
    lines
}

#[test]
fn a_circle_through_a_re_export_is_found_and_the_re_exporter_is_no_party() {
    let mut graph = graph(&[
        ("lib.rs", "mod a; mod b; mod c; pub use a::A; pub(crate) use c::*;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; fn f(c: crate::C) -> super::A { todo!() }"),
        ("c.rs", "mod inner; pub(super) use inner::Deep as C;"),
        ("c/inner.rs", "pub struct Deep;"),
    ]);
    assert_eq!(graph.unresolved, [""; 0]);
    assert_eq!(uses(&graph), ["a.rs b.rs: B", "b.rs a.rs: A", "b.rs c/inner.rs: Deep"]);
    assert_eq!(
        graph.describe_circles(),
        "2 files form a circle:\n  a.rs uses b.rs: B\n  b.rs uses a.rs: A\n"
    );

    assert!(!graph.allow("b.rs", "c/inner.rs"), "it is part of no circle");
    assert!(graph.allow("b.rs", "a.rs"));
    assert_eq!(graph.describe_circles(), "");
}

#[test]
fn code_for_tests_does_not_count() {
    let graph = graph(&[
        ("main.rs", "mod a; mod b; #[cfg(test)] mod tests; #[cfg(not(test))] use b::g;"),
        (
            "a.rs",
            "#[cfg(test)] use crate::b::B; #[cfg(all(test, unix))] #[path = \"nowhere.rs\"] mod tests;
            impl A { #[cfg(test)] fn f(b: crate::b::B) {} fn g() { #[cfg(test)] crate::b::f(); } } pub struct A;",
        ),
        ("b.rs", "pub struct B; pub fn f() {} pub fn g() {} #[cfg(test)] mod tests { use super::super::a::A; }"),
    ]);
    assert_eq!(graph.unresolved, [""; 0]);
    assert_eq!(uses(&graph), ["main.rs b.rs: g"]);
}

#[test]
fn files_are_found_where_a_module_lies() {
    let graph = graph(&[
        ("lib.rs", "mod a; #[path = \"elsewhere/b_unix.rs\"] mod b; mod inline { mod c; use super::b::B; }"),
        ("a/mod.rs", "use crate::b::B; mod below; use below::X;"),
        ("a/below.rs", "pub struct X; #[path = \"odd.rs\"] mod y; fn f() { y::g() }"),
        ("a/odd.rs", "pub fn g() {}"),
        ("elsewhere/b_unix.rs", "pub struct B; mod child; pub use self::child::Child;"),
        ("elsewhere/child.rs", "pub struct Child(super::super::inline::Z);"),
        ("inline/c.rs", "use crate::b; fn f() -> b::Child { todo!() }"),
    ]);
    assert_eq!(graph.unresolved, ["elsewhere/child.rs: super::super::inline::Z"]);
    assert_eq!(
        uses(&graph),
        [
            "a/below.rs a/odd.rs: g",
            "a/mod.rs a/below.rs: X",
            "a/mod.rs elsewhere/b_unix.rs: B",
            "inline/c.rs elsewhere/child.rs: Child",
            "lib.rs elsewhere/b_unix.rs: B",
        ]
    );
}

#[test]
fn paths_are_followed_in_code_macros_attributes_and_globs() {
    let graph = graph(&[
        (
            "lib.rs",
            "mod a; mod b; mod c; mod d; mod e; mod stop; pub use stop::stop; fn f() { e::Kind::First; }",
        ),
        ("a.rs", "use super::{b, c as other}; fn f() { b::g(); other::K; }"),
        ("b.rs", "pub fn g() { println!(\"{}\", [crate::c::K]); }"),
        (
            "c.rs",
            "#[arg(value_parser = super::d::parse)] pub const K: u8 = 1; use std::fmt; fn f(g: fmt::Result) {}",
        ),
        ("d.rs", "use std::io::*; use super::e::*; pub fn parse() -> Kind { crate::stop() }"),
        ("e.rs", "pub enum Kind { First } use Kind::*; use anyhow::anyhow; fn f() { anyhow!(First); }"),
        ("stop.rs", "pub fn stop() { crate::f() }"),
    ]);
    assert_eq!(graph.unresolved, [""; 0]);
    assert_eq!(
        uses(&graph),
        [
            "a.rs b.rs: g",
            "a.rs c.rs: K",
            "b.rs c.rs: K",
            "c.rs d.rs: parse",
            "d.rs e.rs: Kind",
            "d.rs stop.rs: stop",
            "lib.rs e.rs: Kind",
            "stop.rs lib.rs: f",
        ]
    );
}
