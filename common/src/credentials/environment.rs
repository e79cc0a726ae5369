//! The environment's variables. An empty one counts as unset, as everywhere in this crate.

use std::env;
use std::ffi::OsString;

use aws_credential_types::Credentials;
use iot_transport::Cause;

use super::part;

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
/// The SDK reads it where `AWS_SECRET_ACCESS_KEY` is not set.
const OLD_SECRET: &str = "SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
const ACCOUNT: &str = "AWS_ACCOUNT_ID";

/// A variable's value; `None` of one that is blank.
///
/// # Errors
/// A value that is not UTF-8, holds control characters or is in quotation marks. The message names the variable.
pub(super) fn variable(name: &str) -> Result<Option<String>, Cause> {
    value(name, env::var_os(name))
}

fn value(name: &str, value: Option<OsString>) -> Result<Option<String>, Cause> {
    let Some(value) = value else { return Ok(None) };
    let value = value.into_string().map_err(|_| format!("{name} is not UTF-8"))?;
    if value.trim().is_empty() {
        return Ok(None);
    }
    part::check_text(name, &value)?;
    Ok(Some(value))
}

/// The environment's access key; `None` where there is none.
///
/// # Errors
/// Half a key, which the SDK passes over without a word, and characters that no key holds.
pub(super) fn credentials() -> Result<Option<Credentials>, Cause> {
    credentials_in(|name| env::var_os(name))
}

fn credentials_in(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Credentials>, Cause> {
    let part = |name| -> Result<Option<String>, Cause> {
        let found = value(name, variable(name))?;
        if let Some(found) = &found {
            part::check(name, found)?;
        }
        Ok(found)
    };
    let (id, secret) = match (part(ID)?, part(SECRET)?) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(format!("{SECRET} is set but {ID} is not").into()),
        (Some(id), Some(secret)) => (id, secret),
        // The old name alone is too general to mean AWS.
        (Some(id), None) => {
            let old = part(OLD_SECRET)?;
            (id, old.ok_or_else(|| format!("{ID} is set but {SECRET} is not"))?)
        }
    };
    let mut credentials = Credentials::builder()
        .access_key_id(id)
        .secret_access_key(secret)
        .provider_name("EnvironmentVariable");
    credentials.set_session_token(part(TOKEN)?);
    credentials.set_account_id(part(ACCOUNT)?.map(Into::into));
    Ok(Some(credentials.build()))
}

/// Why the environment gives none.
pub(super) fn not_set() -> String {
    format!("{ID} and {SECRET} are not set")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The access key, the secret and the token of an environment.
    type Parts = (String, String, Option<String>);

    fn found(set: &[(&str, OsString)]) -> Result<Option<Parts>, String> {
        let variable = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let found = credentials_in(variable).map_err(|error| error.to_string())?;
        Ok(found.map(|found| {
            let token = found.session_token().map(str::to_owned);
            (found.access_key_id().to_owned(), found.secret_access_key().to_owned(), token)
        }))
    }

    fn text(set: &[(&'static str, &str)]) -> Result<Option<Parts>, String> {
        found(&set.iter().map(|(name, value)| (*name, OsString::from(value))).collect::<Vec<_>>())
    }

    #[test]
    fn half_a_key_is_an_error() {
        let whole = || Ok(Some(("a".to_owned(), "b".to_owned(), None)));
        for (set, expected) in [
            (&[][..], Ok(None)),
            (&[(ID, "a"), (SECRET, "b"), (TOKEN, " ")][..], whole()),
            (&[(ID, "a"), (OLD_SECRET, "b")][..], whole()),
            (&[(OLD_SECRET, "b")][..], Ok(None)),
            (&[(ID, " "), (SECRET, "")][..], Ok(None)),
            (&[(ID, "a")][..], Err("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not".to_owned())),
            (
                &[(SECRET, "b")][..],
                Err("AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not".to_owned()),
            ),
        ] {
            assert_eq!(text(set), expected, "{set:?}");
        }
    }

    #[test]
    fn a_part_that_cannot_be_meant_is_refused_by_its_variable() {
        let whole = [(ID, "AKIA"), (SECRET, "hush"), (TOKEN, "quiet"), (ACCOUNT, "123456789012")];
        for index in 0..whole.len() {
            for (bad, problem) in [
                ("x\r", "carriage return"),
                ("x\ny", "line feed"),
                ("\"x\"", "quotation marks"),
                ("x y", "blank"),
            ] {
                let mut set = whole;
                set[index].1 = bad;
                let error = text(&set).unwrap_err();
                assert!(
                    error.starts_with(&format!("{} ", set[index].0)) && error.contains(problem),
                    "{error}"
                );
            }
        }
        let token = |token: &str| text(&[(ID, "AKIA"), (SECRET, "hush"), (TOKEN, token)]).unwrap().unwrap().2;
        assert_eq!(token("quiet"), Some("quiet".to_owned()));
    }

    #[test]
    #[cfg(unix)]
    fn a_variable_that_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt;

        let bad = || OsString::from_vec(vec![b'a', 0xff]);
        for name in [ID, SECRET, TOKEN, ACCOUNT] {
            let mut set = vec![(ID, "AKIA".into()), (SECRET, "hush".into())];
            set.retain(|(other, _)| *other != name);
            set.push((name, bad()));
            assert_eq!(found(&set).unwrap_err(), format!("{name} is not UTF-8"));
        }
    }
}
