use std::any::Any;
use std::fmt::Debug;

use futures_util::future::BoxFuture;
use iot_transport::{Cause, Route, Timeline};

use crate::auth_kind::AuthKind;
use crate::error::Error;

/// The path that AWS IoT Core serves MQTT over WebSocket on.
pub const WEBSOCKET_PATH: &str = "/mqtt";

/// Signs the WebSocket upgrade of each connection, as with AWS Signature Version 4
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html#mqtt-ws>).
pub trait SignUpgrade: Any + Debug + Send + Sync {
    /// Refuses settings that can sign nothing, before anything is asked for.
    ///
    /// # Errors
    /// [`Error::Settings`] or one of the transport's.
    fn check(&self) -> Result<(), Error>;

    /// Gets what a signature needs, over `route` where it takes a call; TCP and TLS are under way meanwhile.
    ///
    /// # Errors
    /// [`Error::Credentials`] or one of the transport's.
    fn prepare<'a>(
        &'a self,
        route: &'a Route,
        timeline: &'a Timeline,
    ) -> BoxFuture<'a, Result<Prepared, Error>>;

    /// Lets go of credentials that were refused before their time: the next call of [`prepare`](Self::prepare) gets
    /// others.
    fn forget(&self) -> BoxFuture<'_, ()>;

    /// Who signs, as far as it is known by now.
    fn auth_kind(&self) -> AuthKind;
}

/// Makes a signature.
pub type Sign = Box<dyn FnOnce(&str) -> Result<String, Cause> + Send>;

/// A signature to be made once TCP and TLS are established, so that its time is as fresh as it can be.
#[expect(missing_debug_implementations, reason = "it holds credentials")]
pub struct Prepared {
    /// Gives the path and signed query of the upgrade, from the value of the `Host` header. The result is a secret.
    pub sign: Sign,
    /// The credentials are those of an earlier connection.
    pub kept: bool,
    /// Who signs.
    pub auth: AuthKind,
}
