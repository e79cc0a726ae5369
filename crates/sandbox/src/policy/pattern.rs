//! Patterns of resources and condition values: `*`, `?` and `${variable}`.

use crate::policy::Variables;
use crate::policy::json::Node;

/// A parsed pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Wildcard(Wildcard),
    Variable(String),
}

/// What stands in a pattern once its variables are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wildcard {
    Literal(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, none too, `/` included.
    Any,
}

/// A `${` without its `}`.
#[derive(Clone, Copy, Debug)]
struct UnclosedVariable;

fn unclosed(node: &Node<'_>) -> anyhow::Error {
    node.wrong(format_args!("is {}, with a variable that has no closing brace", node.value))
}

impl Pattern {
    /// Reads the pattern that `node` holds as `text`.
    pub(crate) fn at(node: &Node<'_>, text: &str) -> anyhow::Result<Self> {
        Pattern::parse(text).map_err(|UnclosedVariable| unclosed(node))
    }

    /// As [`at`](Self::at), with `*` and `?` being characters like any other.
    pub(crate) fn literal_at(node: &Node<'_>, text: &str) -> anyhow::Result<Self> {
        Pattern::literal(text).map_err(|UnclosedVariable| unclosed(node))
    }

    /// Reads a pattern; `${*}`, `${?}` and `${$}` stand for the characters themselves.
    fn parse(text: &str) -> Result<Self, UnclosedVariable> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some(reference) = rest.strip_prefix("${") {
                let (name, behind) = reference.split_once('}').ok_or(UnclosedVariable)?;
                pieces.push(match name {
                    "*" => Piece::Wildcard(Wildcard::Literal('*')),
                    "?" => Piece::Wildcard(Wildcard::Literal('?')),
                    "$" => Piece::Wildcard(Wildcard::Literal('$')),
                    name => Piece::Variable(name.to_owned()),
                });
                rest = behind;
                continue;
            }
            pieces.push(Piece::Wildcard(match next {
                '*' => Wildcard::Any,
                '?' => Wildcard::One,
                literal => Wildcard::Literal(literal),
            }));
            rest = &rest[next.len_utf8()..];
        }
        Ok(Pattern(pieces))
    }

    /// A pattern that matches only `text`, its `*` and `?` being characters like any other.
    fn literal(text: &str) -> Result<Self, UnclosedVariable> {
        let mut pattern = Pattern::parse(text)?;
        for piece in &mut pattern.0 {
            match piece {
                Piece::Wildcard(wildcard @ Wildcard::Any) => *wildcard = Wildcard::Literal('*'),
                Piece::Wildcard(wildcard @ Wildcard::One) => *wildcard = Wildcard::Literal('?'),
                _ => {}
            }
        }
        Ok(pattern)
    }

    /// Whether `text` matches; `None` when a variable has no value.
    pub(crate) fn matches(&self, text: &str, variables: &Variables) -> Option<bool> {
        let mut pattern = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            match piece {
                Piece::Wildcard(wildcard) => pattern.push(*wildcard),
                Piece::Variable(name) => {
                    pattern.extend(variables.value(name)?.chars().map(Wildcard::Literal))
                }
            }
        }
        Some(glob(&pattern, text))
    }
}

/// Matches greedily and comes back to the last `*` only, which takes linear space and at most quadratic time.
fn glob(pattern: &[Wildcard], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    let mut last_any = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(Wildcard::Any) => {
                last_any = Some((at, read));
                at += 1;
                continue;
            }
            Some(Wildcard::One) => {}
            Some(Wildcard::Literal(literal)) if *literal == text[read] => {}
            _ => match &mut last_any {
                Some((any, taken)) => {
                    *taken += 1;
                    (at, read) = (*any + 1, *taken);
                    continue;
                }
                None => return false,
            },
        }
        at += 1;
        read += 1;
    }
    pattern[at..].iter().all(|wildcard| *wildcard == Wildcard::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("a**c", "ac", true),
            ("?", "ä", true),
            ("??", "a", false),
            ("a*a", "a", false),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(text, &Variables::default()), Some(expected), "{pattern:?} {text}");
        }
    }
}
