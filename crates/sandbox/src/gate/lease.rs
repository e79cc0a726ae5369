//! The time that a custom authorizer gives a connection.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::authorizer::{AuthorizerTable, ConnectRequest, Grant};
use crate::gate::session::Closing;
use crate::mqtt::reason;

/// What an authorizer has granted, and upon what.
pub(super) struct Lease {
    pub(super) request: ConnectRequest,
    pub(super) grant: Grant,
}

impl Lease {
    /// Has the policies refreshed whenever it is time, and returns when the connection has to end. `second` is how long
    /// a second lasts.
    ///
    /// The time of the end was set at CONNECT; a refresh does not move it.
    pub(super) async fn end(self, authorizers: &AuthorizerTable, second: Duration) -> Closing {
        let Lease { request, grant } = self;
        let start = Instant::now();
        let end = start + second * grant.disconnect_after_seconds;
        let mut refresh = start + second * grant.refresh_after_seconds;
        while refresh < end {
            sleep_until(refresh).await;
            match authorizers.refresh(&request, &grant.policies) {
                Ok(seconds) => refresh += second * seconds,
                Err(refusal) => {
                    log::info!("refresh of {:?} refused: {refusal}", request.client_id.unwrap_or_default());
                    return Closing::new(
                        reason::NOT_AUTHORIZED,
                        "the custom authorizer takes back its consent",
                    );
                }
            }
        }
        sleep_until(end).await;
        Closing::new(reason::MAXIMUM_CONNECT_TIME, "the time that the custom authorizer gave is over")
    }
}
