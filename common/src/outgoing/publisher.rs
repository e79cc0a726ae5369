use std::fmt;
use std::io;
use std::pin::{Pin, pin};

use super::Messages;
use super::window::{Window, now};
use crate::client::{Client, Delivery, Events, Message};
use crate::error::Error;

/// Publishes messages as fast as they come and the client takes them, and waits for each: for its acknowledgement, and
/// where the client has subscribed to its topic until the broker has sent it back. What is under way is bounded, so a
/// program that goes on for years stays as small as it was.
pub struct Publisher {
    messages: Messages,
    client: Client,
    events: Events,
    window: Window,
    handing_over: Option<HandingOver>,
    /// What came back before its acknowledgement did, to be told after that.
    back: Option<Message>,
}

/// What passes between a program and the broker.
#[derive(Debug, Clone)]
pub enum Traffic {
    /// The broker has acknowledged a message, or it was sent with QoS 0.
    Published(Message),
    /// The broker has sent one: our own, or somebody else's.
    Received(Message),
}

/// A message on its way to the client, kept here so that a call that is given up loses track of none.
struct HandingOver {
    message: Message,
    taken: Pin<Box<dyn Future<Output = Result<Delivery, Error>> + Send>>,
}

impl Publisher {
    /// Publishes nothing yet.
    #[must_use]
    pub fn new(messages: Messages, client: &Client, events: Events) -> Self {
        let window = Window::new(&client.options, &messages);
        Self { messages, client: client.clone(), events, window, handing_over: None, back: None }
    }

    /// What has happened next; `None` when all messages are published and back. Messages are published in the order in
    /// which they come, and are published before they are received. A lost connection is waited out. Nothing is lost
    /// when the call is given up. The broker hears that a received message was taken when the next call begins.
    ///
    /// # Errors
    ///
    /// Those of [`Client::enqueue`] and [`Client::publish`], [`Error::Input`] when the messages cannot be read, and
    /// [`Error::OperationTimeout`] when one has not come back 10 s after its acknowledgement.
    pub async fn next(&mut self) -> Result<Option<Traffic>, Error> {
        loop {
            if let Some(message) = self.back.take() {
                return Ok(Some(Traffic::Received(message)));
            }
            if let Some(handing_over) = &mut self.handing_over {
                let taken = handing_over.taken.as_mut().await;
                self.handed_over(taken)?;
            }
            if self.messages.is_done() && self.window.is_empty() {
                return Ok(None);
            }
            let is_wanted = !self.messages.is_done() && self.window.has_room();
            tokio::select! {
                biased;
                acknowledged = self.window.acknowledged() => {
                    let (message, back) = acknowledged?;
                    self.back = back;
                    return Ok(Some(Traffic::Published(message)));
                }
                message = self.messages.next(), if is_wanted => {
                    if let Some(message) = message? {
                        let (client, own) = (self.client.clone(), message.clone());
                        let taken = Box::pin(async move { client.enqueue(own).await });
                        self.handing_over = Some(HandingOver { message, taken });
                    }
                }
                // Unread ones would hold acknowledgements up.
                event = self.events.next() => {
                    if let Some(message) = self.window.event(event)? {
                        return Ok(Some(Traffic::Received(message)));
                    }
                }
            }
        }
    }

    /// Disconnects the client, which waits for acknowledgements, and hands on what is received meanwhile: unread messages
    /// would hold the acknowledgements up.
    ///
    /// # Errors
    ///
    /// Those of [`Client::disconnect`], and `received`'s.
    pub async fn disconnect<E: From<Error> + From<io::Error>>(
        &mut self,
        mut received: impl FnMut(Traffic) -> io::Result<()>,
    ) -> Result<(), E> {
        let mut ended = pin!(self.client.clone().disconnect());
        loop {
            tokio::select! {
                outcome = &mut ended => return Ok(outcome?),
                Some(event) = self.events.next() => {
                    if let Ok(Some(message)) = self.window.event(Some(event)) {
                        received(Traffic::Received(message))?;
                    }
                }
            }
        }
    }

    /// What was published, or is back, and not told of yet: to be asked for when the client has disconnected. The log
    /// names what was not acknowledged.
    pub fn settle(&mut self) -> Vec<Traffic> {
        if let Some(handing_over) = &mut self.handing_over {
            let taken = now(handing_over.taken.as_mut()).unwrap_or(Err(Error::Interrupted));
            // The log names it with the others.
            let _ = self.handed_over(taken);
        }
        let mut rest = Vec::from_iter(self.back.take().map(Traffic::Received));
        for (message, back) in self.window.settle() {
            rest.push(Traffic::Published(message));
            rest.extend(back.map(Traffic::Received));
        }
        rest
    }

    /// Whether there is no end but Ctrl-C or that of the input.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.messages.is_endless()
    }

    fn handed_over(&mut self, taken: Result<Delivery, Error>) -> Result<(), Error> {
        match self.handing_over.take() {
            Some(HandingOver { message, .. }) => self.window.add(message, taken),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, window, .. } = self;
        f.debug_struct("Publisher")
            .field("messages", messages)
            .field("window", window)
            .finish_non_exhaustive()
    }
}
