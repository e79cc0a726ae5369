//! Checks of the environment that the AWS SDK leaves out: it passes over half a key without a word.

use super::profile;
use crate::error::Cause;

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
/// What the SDK reads where `AWS_SECRET_ACCESS_KEY` is not set.
const OLD_SECRET: &str = "SECRET_ACCESS_KEY";

/// Refuses an environment that holds no access key, or half of one.
pub(super) fn check_from_process() -> Result<(), Cause> {
    if has_key(from_process)? { Ok(()) } else { Err(format!("{ID} and {SECRET} are not set").into()) }
}

/// Refuses half an access key, and an `AWS_PROFILE` that does not exist: the default chain would look elsewhere and
/// connect as somebody else, or say at its end that no source had anything.
pub(super) async fn check_chain() -> Result<(), Cause> {
    if !has_key(from_process)?
        && let Some(name) = from_process("AWS_PROFILE")
    {
        profile::check(None, &profile::default_files())
            .await
            .map_err(|source| format!("AWS_PROFILE names the profile \"{name}\": {source}"))?;
    }
    Ok(())
}

fn from_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether there is an access key; an error if there is half of one. A blank value counts as none, as in the SDK.
fn has_key(variable: impl Fn(&str) -> Option<String>) -> Result<bool, String> {
    let is_set = |name| variable(name).is_some_and(|value| !value.trim().is_empty());
    match (is_set(ID), is_set(SECRET) || is_set(OLD_SECRET)) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (true, false) => Err(format!("{ID} is set but {SECRET} is not")),
        // The old name alone is too general to mean AWS.
        (false, true) if !is_set(SECRET) => Ok(false),
        (false, true) => Err(format!("{SECRET} is set but {ID} is not")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_key_is_an_error() {
        for (set, expected) in [
            (&[][..], Ok(false)),
            (&[(ID, "a"), (SECRET, "b")][..], Ok(true)),
            (&[(ID, "a"), (OLD_SECRET, "b")][..], Ok(true)),
            (&[(OLD_SECRET, "b")][..], Ok(false)),
            (&[(ID, " "), (SECRET, "")][..], Ok(false)),
            (&[(ID, "a")][..], Err("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not".to_owned())),
            (
                &[(SECRET, "b")][..],
                Err("AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not".to_owned()),
            ),
        ] {
            let lookup =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(has_key(lookup), expected, "{set:?}");
        }
    }
}
