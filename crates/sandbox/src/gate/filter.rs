//! Matches topics with topic filters.

/// Whether `filter`, shared or not, covers `topic`. Other than in MQTT (§4.7.1.2), `a/#` does not cover `a`: AWS IoT's
/// `#` stands for at least one level.
pub(crate) fn covers(filter: &str, topic: &str) -> bool {
    let filter = match filter.strip_prefix("$share/").and_then(|shared| shared.split_once('/')) {
        Some((_, filter)) => filter,
        None => filter,
    };
    // Wildcards do not reach topics that begin with $ (MQTT 5 §4.7.2).
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for pattern in filter.split('/') {
        match (pattern, levels.next()) {
            (_, None) => return false,
            ("#", Some(_)) => return true,
            (pattern, Some(level)) if pattern == "+" || pattern == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn covers_what_aws_does() {
        for (filter, topic, expected) in [
            ("a", "a", true),
            ("a", "a/b", false),
            ("a/b", "a", false),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+/+", "/b", true),
            ("a/#", "a/b/c", true),
            ("a/#", "a/", true),
            ("a/#", "a", false),
            ("#", "a/b", true),
            ("#", "$aws/things", false),
            ("+/things", "$aws/things", false),
            ("$aws/#", "$aws/things", true),
            ("$share/group/a/+", "a/b", true),
            ("$share/group/a", "b", false),
        ] {
            assert_eq!(covers(filter, topic), expected, "{filter} {topic}");
        }
    }
}
