//! Messages on their way from the link to the application, and their acknowledgement after it took them.
//!
//! paho writes a PUBACK as soon as it has read a PUBLISH, and keeps nothing of it (`MQTTProtocol_handlePublishes` in
//! paho C 1.3.16). So it sees no PUBLISH: the link puts messages where the application takes them, and sends PUBACK
//! when that is done with one. The broker then delivers again what a process was at work on when it died.

use std::convert::Infallible;
use std::future::pending;
use std::num::NonZeroU16;

use futures_util::future::{FutureExt, Shared};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::events::EventSender;
use crate::link::receipt::Receipt;
use crate::wire::publish::Publish;

/// Takes the messages of one connection from its link.
#[derive(Debug)]
pub(crate) struct Inbox {
    events: EventSender,
    acknowledged: UnboundedSender<NonZeroU16>,
    /// Resolves when the application is told of the connection, of which it hears before its messages.
    released: Option<oneshot::Receiver<()>>,
    /// Dropped when nothing more will come.
    _open: oneshot::Sender<Infallible>,
}

/// Holds received messages back until [`release`](Self::release); unreleased ones are not acknowledged and stay with the
/// broker.
#[derive(Debug)]
pub(crate) struct Hold(oneshot::Sender<()>);

/// The driver's hold on an inbox.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    closed: Shared<oneshot::Receiver<Infallible>>,
}

/// The packet identifiers to acknowledge.
pub(crate) type Acknowledged = UnboundedReceiver<NonZeroU16>;

/// An inbox that puts messages among `events`.
pub(crate) fn inbox(events: EventSender) -> (Inbox, Hold, Gate, Acknowledged) {
    let (acknowledged, to_send) = mpsc::unbounded_channel();
    let (open, closed) = oneshot::channel();
    let (hold, released) = oneshot::channel();
    let inbox = Inbox { events, acknowledged, released: Some(released), _open: open };
    (inbox, Hold(hold), Gate { closed: closed.shared() }, to_send)
}

impl Inbox {
    /// Returns whether the inbox takes a message now.
    pub(crate) fn is_ready(&self) -> bool {
        self.released.is_none() && !self.events.backlog().is_full()
    }

    /// Waits until it takes one.
    pub(crate) async fn ready(&mut self) {
        if let Some(released) = &mut self.released {
            if released.await.is_err() {
                // The connection has been given up, and its link is about to be.
                pending().await
            }
            self.released = None;
        }
        if self.events.backlog().is_full() {
            log::debug!("the application lags: not reading from the broker");
        }
        self.events.backlog().drained().await;
    }

    /// Hands over a message.
    pub(crate) fn put(&self, publish: Publish) {
        let puback = publish.packet_id.map(|packet_id| (packet_id, self.acknowledged.clone()));
        let receipt = Receipt { _place: self.events.backlog().add(publish.message.memory()), puback };
        self.events.message(publish.message, receipt);
    }
}

impl Hold {
    /// Lets messages through.
    pub(crate) fn release(self) {
        // The link may have ended already.
        let _ = self.0.send(());
    }
}

impl Gate {
    /// Resolves when no more messages will come.
    pub(crate) async fn closed(self) {
        let _ = self.closed.await;
    }
}
