use crate::Operation;
use crate::error::Error;
use crate::outbox::waiting::Entry;

/// The oldest action that had no answer when the broker closed a connection.
///
/// A broker that cannot say no (MQTT 3.1.1 has no code for it) closes the connection. One close can have another reason;
/// many in a row are the answer.
#[derive(Debug, Default)]
pub(crate) struct Suspect {
    oldest: Option<Blamed>,
    /// Up to this sequence actions are sent one by one, each when the one before is answered.
    one_by_one: Option<u64>,
}

#[derive(Debug)]
struct Blamed {
    sequence: u64,
    /// Tells subscriptions that are renewed from each other.
    operation: Operation,
    /// The number of connections in a row.
    closes: u32,
}

impl Suspect {
    const CLOSES: u32 = 3;

    /// The same for a subscription that is renewed. The client ends with it, so a broker that restarts again and again
    /// must not look like a refusal: with the default back-off, this many take minutes.
    pub(crate) const CLOSES_OF_RENEWAL: u32 = 10;

    /// The broker has closed the connection while this action was the oldest without an answer, and the one with the
    /// sequence `newest` the last. Returns whether that was once too often.
    pub(crate) fn blame(&mut self, sequence: u64, operation: &Operation, newest: u64) -> bool {
        let closes = match &self.oldest {
            Some(known) if known.sequence == sequence && known.operation == *operation => known.closes + 1,
            _ => 1,
        };
        self.oldest = Some(Blamed { sequence, operation: operation.clone(), closes });
        if closes + 1 >= Self::CLOSES {
            // It may have been any of them, if the broker closes before it answers those before. Alone each speaks for
            // itself.
            self.one_by_one = self.one_by_one.max(Some(newest));
        }
        closes >= if sequence == Entry::RENEWED { Self::CLOSES_OF_RENEWAL } else { Self::CLOSES }
    }

    /// Returns whether the action with this sequence, the next to be sent, has to wait until all others are answered.
    pub(crate) fn wants_alone(&mut self, sequence: u64) -> bool {
        self.one_by_one = self.one_by_one.filter(|last| sequence <= *last);
        self.one_by_one.is_some()
    }

    /// The broker has answered an action. An answer to a later action clears the suspect, and so does its own. An answer
    /// to an earlier one does not: subscriptions are renewed on each connection.
    pub(crate) fn answered(&mut self, entry: &Entry) {
        self.oldest.take_if(|suspect| match entry.sequence {
            Entry::RENEWED => suspect.operation == entry.action.operation(),
            sequence => suspect.sequence <= sequence,
        });
    }
}

/// Returns whether the end of a connection may be the broker's answer to what it was sent, rather than the network's
/// doing or the broker's own.
pub(crate) fn blames_an_action(error: &Error) -> bool {
    match error {
        Error::Disconnected { code: Some(code), .. } => code.blames_a_packet(),
        Error::Disconnected { code: None, source, .. } => source.is_none(),
        _ => false,
    }
}
