//! Which proxy is on the way, and why.

use iot_transport::{Error as TransportError, ProxyChoice};

use crate::check::Check;

pub(crate) const NAME: &str = "proxy";

/// One of the two is there: the choice, or why there is none.
pub(crate) fn check(choice: Option<&ProxyChoice<'_>>, failed: Option<TransportError>) -> Check {
    if let Some(error) = failed {
        return Check::failed(NAME, error).advise(
            "a variable of the environment asks for a proxy, and cannot be read: nothing is sent past it",
            "correct or unset the variable, name a proxy with --proxy, or connect directly with --no-proxy",
        );
    }
    let why = choice.and_then(|choice| choice.why.clone());
    let check = Check::ok(NAME, why.unwrap_or_else(|| "none".to_owned()));
    match choice {
        Some(choice) if choice.is_from_environment => check.warn(
            "the environment sends this connection through a proxy, which has to let it pass to the endpoint's port",
            "nothing if that is meant; --no-proxy, or the endpoint in NO_PROXY, connects directly",
        ),
        _ => check,
    }
}
