/// Text from anywhere, on one line: a control character must neither end the line nor reach a terminal.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = character.is_control().then(|| character.escape_default());
            let plain = escape.is_none().then_some(character);
            escape.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// The words of a text from anywhere: neither a line end nor another control character is left.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty())
}

/// The start of a line, in characters; `None` of an empty one.
pub(crate) fn shortened(mut line: String, characters: usize) -> Option<String> {
    if let Some((end, _)) = line.char_indices().nth(characters) {
        line.truncate(end);
        line.push('…');
    }
    (!line.is_empty()).then_some(line)
}
