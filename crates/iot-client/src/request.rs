//! Requests of the application to the client.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::check::{message_problem, subscription_problem, text_problem};
use super::message::{Message, QoS};
use super::operation::Operation;
use super::options::ClientOptions;
use crate::error::Error;
use crate::hint;

/// The outcome of a command.
pub(super) type Outcome = Result<(), Error>;

/// A request of a [`Client`](crate::Client) to its driver.
#[derive(Debug)]
pub(super) enum Command {
    Perform(Action, Reply),
    Disconnect(oneshot::Sender<Outcome>),
}

/// The receiver of the outcome of an action.
#[derive(Debug)]
pub(super) enum Reply {
    /// Nobody: the client itself asked, or a process that has ended.
    Nobody,
    /// A caller who waits for it. Once that one is gone, an action that was not begun need not be.
    Caller(oneshot::Sender<Outcome>),
    /// A caller who left it to the client: first whether the client takes it over, then the broker's answer.
    Delivery { accepted: Option<oneshot::Sender<Outcome>>, answer: oneshot::Sender<Outcome> },
}

impl Reply {
    /// Returns whether [`is_abandoned`](Self::is_abandoned) can ever become true.
    pub(super) fn may_be_abandoned(&self) -> bool {
        matches!(self, Reply::Caller(_))
    }

    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Reply::Caller(caller) => caller.is_closed(),
            Reply::Nobody | Reply::Delivery { .. } => false,
        }
    }

    /// Returns whether the client had taken the action over before it came to the driver, with room in the queue.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self, Reply::Delivery { accepted: None, .. })
    }

    /// The client has taken the action over.
    pub(super) fn accept(&mut self) {
        if let Reply::Delivery { accepted, .. } = self
            && let Some(accepted) = accepted.take()
        {
            // As below.
            let _ = accepted.send(Ok(()));
        }
    }

    pub(super) fn answer(self, outcome: Outcome) {
        let receiver = match self {
            Reply::Nobody => return,
            Reply::Caller(caller) => caller,
            Reply::Delivery { accepted: Some(accepted), .. } => accepted,
            Reply::Delivery { accepted: None, answer } => answer,
        };
        // The caller may have stopped waiting. A loss is told of all the same.
        if let Err(Err(error)) = receiver.send(outcome) {
            hint::warn(&error);
        }
    }
}

/// Something that the broker has to acknowledge.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Publish(Arc<Message>),
    Subscribe { filter: String, qos: QoS },
    Unsubscribe { filter: String },
}

impl Action {
    pub(super) fn operation(&self) -> Operation {
        match self {
            Action::Publish(message) => Operation::publish(message),
            Action::Subscribe { filter, .. } => Operation::Subscribe { filter: filter.clone() },
            Action::Unsubscribe { filter } => Operation::Unsubscribe { filter: filter.clone() },
        }
    }

    /// Refuses what no broker takes, what the quotas do not allow, and what the MQTT library cannot carry: it keeps
    /// text as C strings.
    pub(super) fn check(&self, options: &ClientOptions) -> Result<(), Error> {
        let problem = match self {
            Action::Publish(message) => message_problem(message, &options.quotas, options.mqtt_version),
            Action::Subscribe { filter, .. } => subscription_problem(filter, &options.quotas),
            // A filter that could be subscribed to can be unsubscribed from.
            Action::Unsubscribe { filter } => text_problem(filter),
        };
        match problem {
            Some(problem) => {
                Err(Error::OperationInvalid { operation: self.operation(), source: problem.into() })
            }
            None => Ok(()),
        }
    }
}

/// Commands that may wait for the driver before callers have to.
pub(super) const COMMAND_QUEUE: usize = 64;
