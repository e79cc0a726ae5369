//! Acknowledgement after the application took the message.
//!
//! paho writes a PUBACK as soon as it has read a PUBLISH, and keeps nothing of it (`MQTTProtocol_handlePublishes` in
//! paho C 1.3.16). The link swallows those, and sends its own when the application is done with the message. What a
//! process was at work on when it died is then delivered again.

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::backlog::{Backlog, Place};

/// One message between the network and the application. Dropping it makes room in the backlog, no more: the broker
/// keeps a message that was not acknowledged for the next connection of the session.
#[derive(Debug)]
pub(super) struct Receipt {
    _place: Place,
    /// Of QoS 1 only. The link at the other end is that of the message's own connection: packet identifiers mean
    /// nothing on another one, and once it has ended nobody listens.
    puback: Option<(NonZeroU16, UnboundedSender<NonZeroU16>)>,
}

impl Receipt {
    /// Has the link send PUBACK. Called in the order of receipt, which is the order that PUBACKs must keep (MQTT 5.0
    /// §4.6).
    pub(super) fn acknowledge(self) {
        if let Some((packet_id, link)) = self.puback {
            // Without that connection it is void.
            let _ = link.send(packet_id);
        }
    }
}

/// Where the link writes down what it hands to paho.
#[derive(Debug)]
pub(super) struct Ledger {
    backlog: Arc<Backlog>,
    receipts: UnboundedSender<Receipt>,
    acknowledged: UnboundedSender<NonZeroU16>,
}

/// The receipts of one connection, in the order in which paho reports the messages. Dropping it makes room for those
/// that paho has not reported.
#[derive(Debug)]
pub(super) struct Receipts(Mutex<UnboundedReceiver<Receipt>>);

/// The packet identifiers to acknowledge.
pub(super) type Acknowledged = UnboundedReceiver<NonZeroU16>;

/// The three ends of a connection's bookkeeping.
pub(super) fn ledger(backlog: Arc<Backlog>) -> (Ledger, Receipts, Acknowledged) {
    let (receipts, waiting) = mpsc::unbounded_channel();
    let (acknowledged, to_send) = mpsc::unbounded_channel();
    (Ledger { backlog, receipts, acknowledged }, Receipts(Mutex::new(waiting)), to_send)
}

impl Ledger {
    /// Writes a message down; before paho has it, so that its receipt is there when paho reports it.
    pub(super) fn enter(&self, packet_id: Option<NonZeroU16>, bytes: usize) {
        let puback = packet_id.map(|packet_id| (packet_id, self.acknowledged.clone()));
        // The connection may be over, and then nobody asks for it.
        let _ = self.receipts.send(Receipt { _place: self.backlog.add(bytes), puback });
    }

    pub(super) fn is_full(&self) -> bool {
        self.backlog.is_full()
    }

    /// Waits until there is room again.
    pub(super) async fn room(&self) {
        self.backlog.room().await;
    }
}

impl Receipts {
    /// The receipt of the next message that paho reports.
    pub(super) fn next(&self) -> Option<Receipt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
    }
}
