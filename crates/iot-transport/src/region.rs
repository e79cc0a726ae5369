//! The names of AWS regions. New ones appear, so there is no list of them.

/// `us-east-1`, `us-gov-west-1`, `cn-north-1`: words and a number, joined by hyphens.
pub fn is_name(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number =
        parts.next().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    number
        && text.matches('-').count() >= 2
        && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
}
