//! The queue of events that the driver and its link fill, and the application takes from.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Event, Message, Operation};
use crate::error::Error;
use crate::link::backlog::Backlog;
use crate::link::receipt::Receipt;

/// The events of a [`Client`](super::Client), messages among them.
///
/// A QoS 1 message is acknowledged when the application comes back for the next event, drops this, or disconnects the
/// client. So a message that it was at work on when it died is delivered again, if the session lives on; it has to
/// keep safe, before it comes back, what it hands to another task or thread. Messages that still wait here then have not
/// been acknowledged either.
///
/// A broker sends no more than 100 messages that are not acknowledged, so memory stays bounded while the application
/// takes none, and its own publishes go on. QoS 0 has no such limit: while 1,000 messages or 16 MiB wait here the
/// client stops reading from the network, and acknowledgements of its publishes wait too. An application that does not
/// care for events drops this; what arrives from then on is acknowledged at once, until the client disconnects. While
/// 1,000 events that are no messages wait here, further ones are only logged, [`Event::Stopped`] excepted.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::UnboundedReceiver<Queued>,
    in_hand: InHand,
    notices: Arc<AtomicUsize>,
    target: String,
}

/// The end of the driver, and of its link.
#[derive(Debug, Clone)]
pub(super) struct EventSender {
    queue: mpsc::UnboundedSender<Queued>,
    in_hand: InHand,
    /// The number of waiting events that are no messages: messages have limits of their own.
    notices: Arc<AtomicUsize>,
    backlog: Arc<Backlog>,
    received: Arc<AtomicU64>,
    /// Set once the application is done with the client, too.
    leaving: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Queued {
    event: Event,
    receipt: Option<Receipt>,
}

/// The receipt of the message that the application took last.
#[derive(Debug, Clone, Default)]
struct InHand(Arc<Mutex<Option<Receipt>>>);

/// A queue for a client whose broker is `target`.
pub(super) fn queue(target: String) -> (EventSender, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let in_hand = InHand::default();
    let notices = Arc::new(AtomicUsize::new(0));
    let sender = EventSender {
        queue: sender,
        in_hand: in_hand.clone(),
        notices: Arc::clone(&notices),
        backlog: Arc::default(),
        received: Arc::default(),
        leaving: Arc::default(),
    };
    (sender, Events { queue: receiver, in_hand, notices, target })
}

impl EventSender {
    /// An application that takes no events shall not run out of memory in a year without a network.
    const NOTICES: usize = 1000;

    /// Queues an event that is no message. The application may not care for it.
    pub(super) fn send(&self, event: Event) {
        // The driver alone adds to them.
        if self.notices.load(Ordering::Relaxed) >= Self::NOTICES && !matches!(event, Event::Stopped { .. }) {
            return;
        }
        self.notices.fetch_add(1, Ordering::Relaxed);
        self.enqueue(Queued { event, receipt: None });
    }

    /// Queues a message.
    pub(super) fn message(&self, message: Message, receipt: Receipt) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.enqueue(Queued { event: Event::Message(message), receipt: Some(receipt) });
    }

    /// The messages that wait here.
    pub(super) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// The number of messages queued so far.
    pub(super) fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// Acknowledges what the application took last: it has asked to disconnect, so it is done with that.
    pub(super) fn settle(&self) {
        self.in_hand.replace(None);
    }

    /// The application is done: what nobody takes from now on stays with the broker.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    fn enqueue(&self, queued: Queued) {
        if let Err(mpsc::error::SendError(Queued { receipt: Some(receipt), .. })) = self.queue.send(queued)
            && !self.leaving.load(Ordering::Relaxed)
        {
            receipt.acknowledge();
        }
    }
}

impl Events {
    /// The next event; `None` after [`Event::Stopped`]. Acknowledges the message that came before. Dropping the
    /// future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        self.in_hand.replace(None);
        let Queued { event, receipt } = self.queue.recv().await?;
        if !matches!(event, Event::Message(_)) {
            self.notices.fetch_sub(1, Ordering::Relaxed);
        }
        self.in_hand.replace(receipt);
        Some(event)
    }

    /// The next message on `topic`. Whatever else happens meanwhile is passed over, messages on other topics
    /// included; a lost connection is waited out.
    ///
    /// # Errors
    ///
    /// [`Error::OperationTimeout`] when none arrives within `after`, [`Error::Stopped`] when the client gives up.
    pub async fn message(&mut self, topic: &str, after: Duration) -> Result<Message, Error> {
        let arrival = async {
            loop {
                match self.next().await {
                    Some(Event::Message(message)) if message.topic == topic => return Ok(message),
                    Some(Event::Stopped { error }) => return Err(Error::Stopped { source: error }),
                    Some(_) => {}
                    None => return Err(Error::Stopped { source: None }),
                }
            }
        };
        match timeout(after, arrival).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::OperationTimeout {
                target: self.target.clone(),
                operation: Operation::Receive { topic: topic.to_owned() },
                after,
            }),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Before the queue closes and the link acknowledges what comes next.
        self.in_hand.replace(None);
    }
}

impl InHand {
    /// Acknowledges what was in hand. Under the lock, so that two threads keep the order.
    fn replace(&self, next: Option<Receipt>) {
        let mut in_hand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receipt) = mem::replace(&mut *in_hand, next) {
            receipt.acknowledge();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::link::backlog::Backlog;
    use crate::link::inbox::{self, Acknowledged, Inbox};
    use crate::wire::publish::Publish;

    const NOTHING: [u16; 0] = [];

    struct Run {
        sender: EventSender,
        inbox: Inbox,
        acknowledged: Acknowledged,
    }

    impl Run {
        fn new() -> (Self, Events) {
            let (sender, events) = queue("localhost:8883".to_owned());
            let (inbox, _, _, acknowledged) = inbox::inbox(sender.clone());
            (Self { sender, inbox, acknowledged }, events)
        }

        /// A message of QoS 1, as it comes from the network, for each packet identifier.
        fn arrive(&self, packet_ids: impl IntoIterator<Item = u16>) {
            for packet_id in packet_ids {
                let packet_id = NonZeroU16::new(packet_id);
                self.inbox.put(Publish { packet_id, message: Message::new("test/topic", "x") });
            }
        }

        fn acknowledged(&mut self) -> Vec<u16> {
            std::iter::from_fn(|| self.acknowledged.try_recv().ok()).map(NonZeroU16::get).collect()
        }
    }

    #[tokio::test]
    async fn a_message_is_acknowledged_when_the_application_comes_back() {
        let (mut run, mut events) = Run::new();
        run.arrive(1..=3);
        events.next().await.unwrap();
        assert_eq!(run.acknowledged(), NOTHING);
        events.message("test/topic", Duration::ZERO).await.unwrap();
        assert_eq!(run.acknowledged(), [1]);
        events.next().await.unwrap();
        assert_eq!(run.acknowledged(), [2]);
        // Nothing more is there, and the application does not wait.
        events.message("test/topic", Duration::ZERO).await.unwrap_err();
        assert_eq!(run.acknowledged(), [3]);
        // Other events hold nothing.
        run.sender.send(Event::Attempting);
        events.next().await.unwrap();
        run.sender.settle();
        assert_eq!(run.acknowledged(), NOTHING);
    }

    #[tokio::test]
    async fn memory_counts_rather_than_what_came_over_the_network() {
        let (run, events) = Run::new();
        let mut message = Message::new("test/topic", "x");
        // In 3 MiB of a packet.
        message.user_properties = vec![("k".to_owned(), "v".to_owned()); 3 * Backlog::BYTES / 16 / 7];
        run.inbox.put(Publish { packet_id: None, message });
        assert!(run.sender.backlog().is_full());
        drop(events);
        assert!(!run.sender.backlog().is_full());
    }

    #[tokio::test]
    async fn a_disconnect_acknowledges_what_is_in_hand_and_nothing_that_waits() {
        let (mut run, mut events) = Run::new();
        run.arrive(1..=2);
        events.next().await.unwrap();
        run.sender.settle();
        assert_eq!(run.acknowledged(), [1]);
        drop(events);
        assert_eq!(run.acknowledged(), NOTHING);
    }

    #[tokio::test]
    async fn events_that_nobody_takes_do_not_pile_up_and_messages_are_not_among_them() {
        let (run, mut events) = Run::new();
        for _ in 0..2 {
            for _ in 0..5 * EventSender::NOTICES {
                run.sender.send(Event::Attempting);
            }
            run.arrive(1..=1);
            for _ in 0..EventSender::NOTICES {
                assert!(matches!(events.next().await, Some(Event::Attempting)));
            }
            assert!(matches!(events.next().await, Some(Event::Message(_))));
        }
        for _ in 0..EventSender::NOTICES {
            run.sender.send(Event::Attempting);
        }
        run.sender.send(Event::Stopped { error: None });
        events.message("test/topic", Duration::from_secs(60)).await.unwrap_err();
        drop(run);
        assert!(events.next().await.is_none(), "the end is the last");
    }

    #[tokio::test]
    async fn without_anybody_to_take_it_a_message_is_acknowledged_at_once() {
        let (mut run, mut events) = Run::new();
        run.arrive(1..=2);
        events.next().await.unwrap();
        drop(events);
        run.arrive(3..=4);
        assert_eq!(run.acknowledged(), [1, 3, 4]);
        // The application is done altogether, and what comes now is for its next run.
        run.sender.leave();
        run.arrive(5..=6);
        assert_eq!(run.acknowledged(), NOTHING);
    }
}
