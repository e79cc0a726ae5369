use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::driver::shared::Shared;
use super::driver::{Driver, Start};
use super::outbox::Outbox;
use super::outbox::disk::is_asked_for;
use super::outbox::queue_usage::QueueUsage;
use super::request::{Action, COMMAND_QUEUE, Command, Reply};
use super::{ClientOptions, Delivery, Events, Message, QoS, Status, events};
use crate::error::Error;

/// A connection to the broker that is kept up.
///
/// After the first connection the client reconnects by itself, with full-jitter exponential back-off, and dials
/// and signs anew each time. QoS 1 messages in flight survive a reconnect, subscriptions are renewed. It gives
/// up, and says why, on what will never heal: a policy refusal, a rejected certificate, a bad signature.
///
/// Clones share the connection. When the last one is dropped the client disconnects.
#[derive(Debug, Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    pub(crate) options: Arc<ClientOptions>,
    shared: Arc<Shared>,
    queue_usage: Arc<QueueUsage>,
}

impl Client {
    /// Connects. The first attempt is the only one: what fails here is mostly a setting.
    ///
    /// # Errors
    ///
    /// Whatever [`Error`] ended the attempt, within [`ClientOptions::connect_timeout`].
    pub async fn connect(options: ClientOptions) -> Result<(Client, Events), Error> {
        let (connected, outcome) = oneshot::channel();
        let (client, events) = Self::spawn(options, Start::Once(Some(connected))).await?;
        // Without an answer the runtime is shutting down.
        let hold = outcome.await.unwrap_or_else(|_| Err(client.shared.stopped()))?;
        hold.release();
        Ok((client, events))
    }

    /// Starts to connect, and tries until it has succeeded: for a device that boots before its network does.
    /// Requests wait meanwhile. The events tell how it goes; an error that will never heal ends the client, as later on.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] and [`Error::Store`], which no attempt could mend.
    pub async fn start(options: ClientOptions) -> Result<(Client, Events), Error> {
        Self::spawn(options, Start::Persistently).await
    }

    async fn spawn(options: ClientOptions, start: Start) -> Result<(Client, Events), Error> {
        options.check()?;
        let options = Arc::new(options);
        let outbox = Outbox::open(Arc::clone(&options)).await?;
        let queue_usage = outbox.queue_usage();
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let (sender, events) = events::queue(options.dialer.target());
        let shared = Arc::new(Shared::new(sender.received()));
        let driver = Driver::new(Arc::clone(&options), outbox, receiver, sender, Arc::clone(&shared));
        tokio::spawn(driver.run(start));
        let client = Client { commands, options, shared, queue_usage };
        Ok((client, events))
    }

    /// Publishes a message. QoS 1 returns when the broker has acknowledged it, over reconnects if need be; QoS 0
    /// when it has been handed to the network. When the call ends early, by a timeout or because it is dropped, a
    /// message that has not been sent yet is not sent any more, unless [`persistence`](ClientOptions::persistence)
    /// keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::OperationRefused`] with the PUBACK's reason code, [`Error::BeyondLimit`] where the broker's CONNACK rules
    /// the message out, which then ends with this error though it has waited over connections or in
    /// [`persistence`](ClientOptions::persistence), [`Error::OperationTimeout`] after
    /// [`ClientOptions::operation_timeout`], [`Error::OperationClosesConnection`] where the broker answers by
    /// closing the connection, [`Error::Stopped`].
    pub async fn publish(&self, message: Message) -> Result<(), Error> {
        self.request(Action::Publish(Arc::new(message))).await
    }

    /// Takes a message over: it will be published, over reconnects, and with
    /// [`persistence`](ClientOptions::persistence) over the end of the process if it is QoS 1. The call returns once
    /// that is so; the broker's word for it is the [`Delivery`]'s, which need not be waited for.
    ///
    /// Messages are sent in the order of the calls, where one is made after the other has returned.
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`], [`Error::Store`], [`Error::OperationInvalid`], [`Error::Stopped`]: the message is then
    /// not the client's.
    pub async fn enqueue(&self, message: Message) -> Result<Delivery, Error> {
        let message = Arc::new(message);
        let action = Action::Publish(Arc::clone(&message));
        action.check(&self.options)?;
        let (sender, answer) = oneshot::channel();
        // First, so that a call that is given up has taken nothing.
        let command = self.commands.reserve().await.map_err(|_| self.shared.stopped())?;
        if !is_asked_for(&self.options) && self.queue_usage.try_add(&message, &self.options.queue) {
            command.send(Command::Perform(action, Reply::Delivery { accepted: None, answer: sender }));
        } else {
            let (accepted, is_accepted) = oneshot::channel();
            let reply = Reply::Delivery { accepted: Some(accepted), answer: sender };
            command.send(Command::Perform(action, reply));
            is_accepted.await.unwrap_or_else(|_| Err(self.shared.stopped()))?;
        }
        Ok(Delivery { answer, shared: Arc::clone(&self.shared) })
    }

    /// The state of the client.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Subscribes to a topic filter and keeps the subscription over reconnects.
    ///
    /// # Errors
    ///
    /// As [`publish`](Client::publish), with the SUBACK's reason code.
    pub async fn subscribe(&self, filter: impl Into<String>, qos: QoS) -> Result<(), Error> {
        self.request(Action::Subscribe { filter: filter.into(), qos }).await
    }

    /// Removes a subscription.
    ///
    /// # Errors
    ///
    /// As [`publish`](Client::publish), with the UNSUBACK's reason code.
    pub async fn unsubscribe(&self, filter: impl Into<String>) -> Result<(), Error> {
        self.request(Action::Unsubscribe { filter: filter.into() }).await
    }

    /// Waits for acknowledgements, for [`ClientOptions::shutdown_timeout`] at most and over a reconnect if need be, sends
    /// DISCONNECT and ends the client. The broker keeps the session only with
    /// [`SessionPolicy::Resume`](super::SessionPolicy::Resume).
    ///
    /// # Errors
    ///
    /// [`Error::Undelivered`] if messages are lost by it, [`Error::Stopped`] if the client has ended before.
    pub async fn disconnect(self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Disconnect(reply)).await.map_err(|_| self.shared.stopped())?;
        answer.await.unwrap_or_else(|_| Err(self.shared.stopped()))
    }

    /// The options that the client was made with.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// The client ID.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.options.client_id
    }

    /// `host:port` of the broker.
    #[must_use]
    pub fn target(&self) -> String {
        self.options.dialer.target()
    }

    /// Host and port of the broker.
    #[must_use]
    pub fn endpoint(&self) -> (&str, u16) {
        self.options.dialer.endpoint()
    }

    async fn request(&self, action: Action) -> Result<(), Error> {
        action.check(&self.options)?;
        let operation = action.operation();
        let (reply, answer) = oneshot::channel();
        let request = async {
            let command = Command::Perform(action, Reply::Caller(reply));
            self.commands.send(command).await.map_err(|_| self.shared.stopped())?;
            answer.await.unwrap_or_else(|_| Err(self.shared.stopped()))
        };
        let after = self.options.operation_timeout;
        match timeout(after, request).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::OperationTimeout { target: self.target(), operation, after }),
        }
    }
}
