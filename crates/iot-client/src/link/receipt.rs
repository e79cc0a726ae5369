use std::num::NonZeroU16;

use tokio::sync::mpsc::UnboundedSender;

use super::backlog::Place;

/// One message between the network and the application. Dropping it makes room in the backlog, no more: the broker
/// keeps a message that was not acknowledged for the next connection of the session.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(super) _place: Place,
    /// Of QoS 1 only. The link at the other end is that of the message's own connection: packet identifiers mean
    /// nothing on another one, and once it has ended nobody listens.
    pub(super) puback: Option<(NonZeroU16, UnboundedSender<NonZeroU16>)>,
}

impl Receipt {
    /// Has the link send PUBACK. Called in the order of receipt, which is the order that PUBACKs must keep (MQTT 5.0
    /// §4.6).
    pub(crate) fn acknowledge(self) {
        if let Some((packet_id, link)) = self.puback {
            // Without that connection it is void.
            let _ = link.send(packet_id);
        }
    }
}
