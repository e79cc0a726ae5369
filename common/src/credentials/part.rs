//! Text that becomes part of a header or of a signature.

/// Text that cannot be meant: a file with line ends of Windows, or quotation marks that a shell would have taken away.
/// The message holds nothing of the text, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {problem}")]
pub(crate) struct InvalidPart {
    name: String,
    problem: &'static str,
}

/// Refuses characters that no part of AWS credentials holds. In a header they end the line, or the SDK panics.
pub(crate) fn check(name: &str, text: &str) -> Result<(), InvalidPart> {
    check_text(name, text)?;
    let problem = match text.chars().find(|c| !c.is_ascii_graphic()) {
        None => return Ok(()),
        Some(c) if c.is_whitespace() => "holds a blank",
        Some(_) => "holds a character that is not ASCII",
    };
    Err(InvalidPart { name: name.to_owned(), problem })
}

/// Refuses control characters, and quotation marks around the text.
pub(crate) fn check_text(name: &str, text: &str) -> Result<(), InvalidPart> {
    let quoted = |mark| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
    let problem = match text.chars().find(|c| c.is_control()) {
        Some('\r') if text.ends_with('\r') => {
            "ends with a carriage return: the file that sets it has the line ends of Windows"
        }
        Some('\r') => "holds a carriage return",
        Some('\n') => "holds a line feed",
        Some(_) => "holds a control character",
        None if quoted('"') || quoted('\'') => {
            "is in quotation marks, which count as part of it: leave them out"
        }
        None => return Ok(()),
    };
    Err(InvalidPart { name: name.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_no_key_holds_are_refused_by_the_name_of_the_part() {
        for (text, problem) in [
            ("hush\r", "ends with a carriage return"),
            ("hu\rsh", "holds a carriage return"),
            ("hush\n", "holds a line feed"),
            ("hu\u{1b}sh", "holds a control character"),
            ("\"hush\"", "is in quotation marks"),
            ("'hush'", "is in quotation marks"),
            ("hush ", "holds a blank"),
            ("hüsh", "holds a character that is not ASCII"),
        ] {
            let message = check("AWS_SESSION_TOKEN", text).unwrap_err().to_string();
            assert!(message.starts_with(&format!("AWS_SESSION_TOKEN {problem}")), "{text:?}: {message}");
            assert!(!message.contains(text), "{message}");
        }
        for text in ["AKIAEXAMPLE", "wJalr/XUtn+FEMI=", "\"", "a\"b"] {
            assert_eq!(check("AWS_SESSION_TOKEN", text), Ok(()));
        }
    }
}
