//! Whom a server's certificate may come from.

use crate::case::Case;
use crate::check::Check;

pub(crate) const NAME: &str = "trust";

pub(crate) fn check(case: &Case) -> Check {
    match case.route.roots().describe() {
        Ok(store) => {
            let check = Check::ok(NAME, format!("trusts {store}"));
            store.problems.into_iter().fold(check, |check, problem| {
                check.warn(
                    problem,
                    "have the variable name CA certificates in PEM form, or unset it; --ca-file goes before it",
                )
            })
        }
        Err(error) => Check::failed(NAME, error),
    }
}
