//! Property tests of what reads other people's bytes: where their cases come from.

use std::fs;
use std::path::PathBuf;

/// The cases for one parser: those of the package's `tests/corpus/<name>.txt`, then made ones. The same ones each time.
///
/// A corpus holds one case a line with Rust's escapes for bytes, `#` before comments. A test that fails prints the
/// line to add. `PROPERTY_CASES` says how many cases are made:
/// `PROPERTY_CASES=1000000 cargo test --release -p common --lib property_`.
pub struct Cases {
    file: PathBuf,
    corpus: Vec<Vec<u8>>,
    pieces: &'static [&'static [u8]],
    random: fastrand::Rng,
    given: usize,
    /// How many there are in all.
    count: usize,
    last: Vec<u8>,
}

impl Cases {
    /// `usual` cases, beside the corpus, are as many as do not hold the other tests up; `pieces` mean something to
    /// the parser.
    ///
    /// # Panics
    /// If the corpus cannot be read or has no case.
    pub fn new(package: &str, name: &str, usual: usize, pieces: &'static [&'static [u8]]) -> Self {
        let file = PathBuf::from(package).join("tests/corpus").join(name).with_extension("txt");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let corpus: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(unescape).collect();
        assert!(!corpus.is_empty(), "{} has no case", file.display());
        let made = std::env::var("PROPERTY_CASES").ok().map_or(usual, |made| made.parse().expect("a number"));
        let count = corpus.len() + made;
        let random = fastrand::Rng::with_seed(0x7512_1928);
        Self { file, corpus, pieces, random, given: 0, count, last: Vec::new() }
    }

    /// A case of the corpus, or nothing, with a few changes.
    fn made(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let mut case = match random.u8(..8) {
            0 => Vec::new(),
            _ => self.corpus[random.usize(..self.corpus.len())].clone(),
        };
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..=case.len());
            match random.u8(..8) {
                0 if at < case.len() => case[at] = random.u8(..),
                1 if at < case.len() => case[at] ^= 1 << random.u8(..8),
                2 => case.insert(at, random.u8(..)),
                3 => case.truncate(at),
                4 | 5 => drop(case.drain(at..case.len().min(at + random.usize(1..8)))),
                _ => {
                    let piece = self.pieces[random.usize(..self.pieces.len())];
                    drop(case.splice(at..at, piece.iter().copied()));
                }
            }
        }
        case
    }
}

impl Iterator for Cases {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.given == self.count {
            return None;
        }
        let kept = self.corpus.get(self.given).cloned();
        self.last = kept.unwrap_or_else(|| self.made());
        self.given += 1;
        Some(self.last.clone())
    }
}

impl Drop for Cases {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case, as a line for {}:\n{}", self.file.display(), self.last.escape_ascii());
        }
    }
}

/// Undoes [`slice::escape_ascii`].
fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'x') => {
                    let digits =
                        [rest.next(), rest.next()].map(|digit| char::from(digit.expect("two digits")));
                    let digits = String::from_iter(digits);
                    u8::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("{line}: \\x{digits}"))
                }
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(mark @ (b'\\' | b'\'' | b'"')) => mark,
                other => panic!("{line}: an escape of {other:?}"),
            },
            byte => byte,
        });
    }
    bytes
}

#[test]
fn a_line_of_a_corpus_is_what_a_failure_prints() {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    assert_eq!(unescape(&all.escape_ascii().to_string()), all);
    assert_eq!(unescape("é"), "é".as_bytes());
}
