//! Whom a server's certificate may come from.

use crate::check::Check;
use crate::examination::Case;

pub(crate) const NAME: &str = "trust";

pub(crate) fn check(case: &Case) -> Check {
    match case.route.roots().describe() {
        Ok(store) => Check::ok(NAME, format!("trusts {store}")),
        Err(error) => Check::failed(NAME, error),
    }
}
