//! Who is to be told of a fault.

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::relay::fault::{Condition, Fault, Reach};

/// The live connections, and the fault that the next one starts with.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Held by the connections: one that has ended has dropped its receiver.
    live: Vec<watch::Sender<Condition>>,
    next: Option<Fault>,
}

impl Roster {
    /// A connection that was accepted just now.
    pub(super) fn admit(&self) -> watch::Receiver<Condition> {
        let mut entries = self.0.lock();
        entries.live.retain(|connection| !connection.is_closed());
        let (sender, condition) = watch::channel(Condition::new(entries.next));
        entries.live.push(sender);
        condition
    }

    /// Changes the fault of those that are concerned. A connection sees it before any byte that is sent afterwards.
    pub(super) fn change(&self, reach: Reach, fault: Option<Fault>) {
        let mut entries = self.0.lock();
        if matches!(reach, Reach::New | Reach::All) {
            entries.next = fault;
        }
        if matches!(reach, Reach::Live | Reach::All) {
            for connection in &entries.live {
                connection.send_modify(|condition| condition.change(fault));
            }
        }
    }
}
