/// Topics that the broker knows by number on this connection (MQTT 5.0 §3.3.2.3.4).
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    maximum: usize,
    /// Numbers and topics, the one used last at the end.
    known: Vec<(u16, String)>,
}

/// The form of a topic in a PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its name.
    Name,
    /// By its name, which from now on has this number.
    Introduced(u16),
    /// By its number.
    Number(u16),
}

impl Aliases {
    /// Those of a new connection: at most `maximum`.
    pub(crate) fn new(maximum: u16) -> Self {
        Self { maximum: maximum.into(), known: Vec::new() }
    }

    /// The form of a topic that is about to be sent. When all numbers are taken, the one that was not used for longest
    /// gets a new topic.
    pub(crate) fn form(&mut self, topic: &str) -> Form {
        if self.maximum == 0 {
            return Form::Name;
        }
        if let Some(place) = self.known.iter().position(|(_, known)| known == topic) {
            let entry = self.known.remove(place);
            let number = entry.0;
            self.known.push(entry);
            return Form::Number(number);
        }
        let number = if self.known.len() < self.maximum {
            // At most `maximum`, which is a u16.
            u16::try_from(self.known.len() + 1).unwrap_or(u16::MAX)
        } else {
            self.known.remove(0).0
        };
        self.known.push((number, topic.to_owned()));
        Form::Introduced(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_at_one_and_go_to_the_topics_used_last() {
        let mut aliases = Aliases::new(2);
        assert_eq!(aliases.form("a"), Form::Introduced(1));
        assert_eq!(aliases.form("b"), Form::Introduced(2));
        assert_eq!(aliases.form("a"), Form::Number(1));
        assert_eq!(aliases.form("c"), Form::Introduced(2), "b was not used for longest");
        assert_eq!(aliases.form("a"), Form::Number(1));
        assert_eq!(aliases.form("b"), Form::Introduced(2));
    }

    #[test]
    fn without_any_topics_go_by_name() {
        let mut aliases = Aliases::new(0);
        assert_eq!(aliases.form("a"), Form::Name);
        assert_eq!(aliases.form("a"), Form::Name);
    }
}
