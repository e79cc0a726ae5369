//! What is kept of a text that a client may make as long as it likes.

/// A text of at most `longest` bytes as it is, of a longer one what fits, with `…` after it.
pub(crate) fn excerpt(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(longest)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for (text, kept) in [("abcd", "abcd"), ("abcde", "abcd…"), ("abcä", "abc…"), ("ääx", "ää…"), ("", "")]
        {
            assert_eq!(excerpt(text, 4), kept);
        }
    }
}
