//! The connection that is examined.

use std::time::Duration;

use common::{Auth, Endpoint, Route};

use crate::method::Method;

/// The connection to examine, as the flags describe it.
pub(crate) struct Case {
    pub(crate) method: Method,
    pub(crate) endpoint: Endpoint,
    pub(crate) port: u16,
    pub(crate) https_port: u16,
    pub(crate) route: Route,
    /// `None` where no way to authenticate was named, or what it needs cannot be used.
    pub(crate) auth: Option<Auth>,
    /// How long one check may take.
    pub(crate) limit: Duration,
}

impl Case {
    pub(crate) fn host(&self) -> &str {
        self.endpoint.host()
    }
}
