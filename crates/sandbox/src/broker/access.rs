//! The connection's permissions, as the broker asks for them.

use std::future::{self, Future};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use mqtt5::broker::{AuthProvider, AuthResult};
use mqtt5::packet::connect::ConnectPacket;

use crate::policy::{Action, Permissions};

/// Answers for one connection. CONNECT and PUBLISH were judged by the gate before the broker sees them, a will at
/// CONNECT; what is left are subscriptions, those of a resumed session too.
pub(super) struct PolicyAccess(pub(super) Arc<Permissions>);

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl AuthProvider for PolicyAccess {
    fn authenticate<'a>(
        &'a self,
        _connect: &'a ConnectPacket,
        _peer: SocketAddr,
    ) -> Answer<'a, mqtt5::error::Result<AuthResult>> {
        // Without a user ID: with one, messages would gain a property and sessions would be tied to it.
        Box::pin(future::ready(Ok(AuthResult::success())))
    }

    fn authorize_publish<'a>(
        &'a self,
        _client: &str,
        _user: Option<&'a str>,
        _topic: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(future::ready(true))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client: &str,
        _user: Option<&'a str>,
        filter: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(future::ready(self.0.allow(Action::Subscribe, filter)))
    }
}
