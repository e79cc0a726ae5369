//! Text of foreign origin, made fit for a terminal and a log.
//!
//! The places that write, such as a program's last error, its log and the doctor's report, escape here whatever they
//! are given, so a message need not know which of its words come from a broker, a proxy, a file or the command line.

use std::error::Error as StdError;
use std::fmt::{self, Write};
use std::iter::successors;

use serde_json::Value;

/// Text from anywhere, on one line, without a character that ends the line, controls a terminal, is invisible or
/// reorders its neighbours: each is shown as its `\u{…}`, or `\n`, `\r` and `\t`.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = deceives(character).then(|| character.escape_default());
            let plain = escape.is_none().then_some(character);
            escape.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// JSON on one line, with the same characters as `\uXXXX`: whoever parses it reads the very same text.
#[must_use]
pub fn json_line(value: &Value) -> String {
    let json = value.to_string();
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        // Such a character is inside a string: JSON has none between its tokens.
        if deceives(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(character);
        }
    }
    line
}

/// Returns whether a terminal or a log viewer acts on the character instead of showing it: the control characters, the
/// separators of lines and paragraphs, and the format characters that are invisible or reorder text (Unicode's
/// categories Cc, Zl, Zp, and of Cf what has the property Bidi_Control or Default_Ignorable_Code_Point). The two joiners
/// U+200C and U+200D stay: words of several scripts, and emoji, are written with them.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The words of a text from anywhere: neither a line end nor another control character is left.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty())
}

/// The start of a line, in characters; `None` of an empty one.
pub fn shortened(mut line: String, characters: usize) -> Option<String> {
    if let Some((end, _)) = line.char_indices().nth(characters) {
        line.truncate(end);
        line.push('…');
    }
    (!line.is_empty()).then_some(line)
}

/// An error and its causes on one line.
pub struct Chain<'a>(pub &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        for error in links(self.0) {
            let text = error.to_string();
            // Many libraries repeat their cause in their own message.
            if !shown.contains(&text) {
                if !shown.is_empty() {
                    shown.push_str(": ");
                }
                shown.push_str(&text);
            }
        }
        f.write_str(&one_line(&shown))
    }
}

/// An error and its causes, from the outside in.
pub fn links<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_shows_what_a_terminal_would_act_on() {
        for (text, shown) in [
            ("a\x1b[2J\r\n\tb\0", r"a\u{1b}[2J\r\n\tb\u{0}"),
            // C1: a CSI in one character (ECMA-48 §5.3).
            ("\u{9b}2J\u{85}\u{7f}", r"\u{9b}2J\u{85}\u{7f}"),
            // Bidirectional overrides and isolates, line and paragraph separators.
            ("a\u{202e}b\u{2066}c\u{2029}", r"a\u{202e}b\u{2066}c\u{2029}"),
            // Invisible ones, tags included.
            ("\u{feff}a\u{200b}\u{e0041}", r"\u{feff}a\u{200b}\u{e0041}"),
            ("naïve “Ünï” \\ \u{5e9}\u{5dc}", "naïve “Ünï” \\ \u{5e9}\u{5dc}"),
            ("👩\u{200d}🔧 ❤\u{fe0f} हिन्दी e\u{301}", "👩\u{200d}🔧 ❤\u{fe0f} हिन्दी e\u{301}"),
        ] {
            assert_eq!(one_line(text), shown);
            assert_eq!(one_line(shown), shown, "escaping twice changes nothing");
        }
    }

    #[test]
    fn json_escapes_the_same_characters_and_keeps_their_value() {
        let value = serde_json::json!({ "a": "x\x1b\u{9b}\u{7f}\u{202e}\u{e0041}é" });
        let line = json_line(&value);
        assert_eq!(line, r#"{"a":"x\u001b\u009b\u007f\u202e\udb40\udc41é"}"#);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
