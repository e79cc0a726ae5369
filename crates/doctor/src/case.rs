//! The connection that is examined.

use std::time::Duration;

use common::SigV4;
use iot_client::Auth;
use iot_transport::{Endpoint, Route};

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
    /// The signer, where credentials of AWS are used.
    pub(crate) fn signer(&self) -> Option<&SigV4> {
        self.auth.as_ref().and_then(SigV4::of)
    }

    pub(crate) fn host(&self) -> &str {
        self.endpoint.host()
    }
}
