use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;
use std::sync::Arc;

use crate::error::Error;

/// What a sample's `main` returns: one readable chain of causes, and a hint where the cause is known.
///
/// The standard library shows the `Debug` form of what `main` returns and exits with code 1, so that form is
/// the one for people.
pub struct Failure(anyhow::Error);

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Failure {
    /// The failure and its causes, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        Chain(self.0.as_ref()).to_string()
    }

    /// What to do, where the cause is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Chain(self.0.as_ref()).links().find_map(hint)
    }

    /// Whether the user ended the process, rather than a failure.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self.0.downcast_ref(), Some(Error::Interrupted))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithHint(self.0.as_ref()))
    }
}

/// An error and its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn StdError + 'static));

impl Chain<'_> {
    fn links(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        successors(Some(self.0), |&error| error.source())
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        for error in self.links() {
            let text = error.to_string();
            // Many libraries repeat their cause in their own message.
            if !shown.contains(&text) {
                if !shown.is_empty() {
                    shown.push_str(": ");
                }
                shown.push_str(&text);
            }
        }
        f.write_str(&shown)
    }
}

/// An error and its causes on one line, and a hint on the next where there is one.
pub(crate) struct WithHint<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for WithHint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = Chain(self.0);
        chain.fmt(f)?;
        match chain.links().find_map(hint) {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

fn hint(error: &(dyn StdError + 'static)) -> Option<String> {
    let own = error.downcast_ref::<Error>().or_else(|| error.downcast_ref::<Arc<Error>>().map(AsRef::as_ref));
    own.and_then(Error::hint)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn shows_each_cause_once_and_the_hint_of_the_innermost_that_has_one() {
        let refused = Error::Tcp {
            target: "localhost:1".to_owned(),
            source: io::Error::from(io::ErrorKind::ConnectionRefused),
        };
        let hint = refused.hint();
        let stopped = Error::Stopped { source: Some(Arc::new(refused)) };
        let shown = format!("{:?}", Failure::from(stopped));
        let (chain, shown_hint) = shown.split_once("\nhint: ").unwrap();
        assert_eq!(
            chain,
            "the client has stopped: cannot open a TCP connection to localhost:1: connection refused"
        );
        assert_eq!(Some(shown_hint.to_owned()), hint);
    }
}
