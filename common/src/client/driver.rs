//! The task behind a [`Client`](super::Client): connects, serves commands, reconnects.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use paho_mqtt as paho;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::action::{Command, Reply};
use super::backlog::Backlog;
use super::backoff::Backoff;
use super::connection::{Connection, Session};
use super::outbox::Outbox;
use super::{ClientOptions, Event, Message, QoS, ReasonCode};
use crate::error::Error;
use crate::failure::WithHint;

pub(super) struct Driver {
    options: Arc<ClientOptions>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    backlog: Arc<Backlog>,
    gave_up: Arc<OnceLock<Arc<Error>>>,
    outbox: Outbox,
}

/// The application asked to disconnect, or has dropped the client.
struct Asked(Option<Reply>);

/// How the time with one connection ended.
enum Ended {
    Asked(Asked),
    /// With the broker's word for it, if it sent a DISCONNECT.
    Lost(Option<Error>),
    /// The connection stands, but what the application counts on was refused.
    Refused(Error),
}

/// How the client ended.
enum Exit {
    Asked(Asked),
    GaveUp(Arc<Error>),
}

impl From<Asked> for Exit {
    fn from(asked: Asked) -> Self {
        Exit::Asked(asked)
    }
}

impl Driver {
    /// How long a disconnect waits for acknowledgements under way, and then for the DISCONNECT to be sent.
    const DRAIN: Duration = Duration::from_secs(5);

    pub(super) fn new(
        options: Arc<ClientOptions>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::UnboundedSender<Event>,
        backlog: Arc<Backlog>,
        gave_up: Arc<OnceLock<Arc<Error>>>,
    ) -> Self {
        let outbox = Outbox::new(Arc::clone(&options));
        Self { options, commands, events, backlog, gave_up, outbox }
    }

    /// Runs until the application is done or nothing will ever heal. The outcome of the first attempt goes to
    /// `connected`; if that one fails there is no second.
    pub(super) async fn run(mut self, connected: oneshot::Sender<Result<(), Error>>) {
        let connection = match self.attempt(Session::Clean).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                // Nobody listens if the caller has dropped its `connect`.
                let _ = connected.send(Err(error));
                return;
            }
            Err(Asked(_)) => return,
        };
        if connected.send(Ok(())).is_err() {
            return self.disconnect(connection).await;
        }
        match self.keep_up(connection).await {
            Exit::Asked(Asked(reply)) => {
                self.emit(Event::Stopped { error: None });
                if let Some(reply) = reply {
                    let _ = reply.send(Ok(()));
                }
            }
            Exit::GaveUp(error) => {
                // Set here only, before the waiting callers learn of the end by losing their replies.
                let _ = self.gave_up.set(Arc::clone(&error));
                self.emit(Event::Stopped { error: Some(error) });
            }
        }
    }

    /// Serves connections, one after the other, until the end.
    async fn keep_up(&mut self, mut connection: Connection) -> Exit {
        let mut backoff = Backoff::new(self.options.reconnect_minimum, self.options.reconnect_maximum);
        loop {
            let since = Instant::now();
            let error = match self.serve(&connection).await {
                Ended::Lost(None) => connection.lost(&self.options).await,
                Ended::Asked(asked) => {
                    self.drain(&connection).await;
                    self.disconnect(connection).await;
                    return asked.into();
                }
                Ended::Refused(error) if error.is_permanent() => {
                    self.options.timelines.ended(&error);
                    self.disconnect(connection).await;
                    return Exit::GaveUp(Arc::new(error));
                }
                // A broker that is busy may take on the next connection what it has refused.
                Ended::Lost(Some(error)) | Ended::Refused(error) => {
                    drop(connection);
                    error
                }
            };
            self.backlog.connection_ended();
            self.outbox.connection_lost(&error);
            self.options.timelines.ended(&error);
            let error = Arc::new(error);
            self.emit(Event::Disconnected { error: Arc::clone(&error) });
            if error.is_permanent() {
                return Exit::GaveUp(error);
            }
            if since.elapsed() >= Backoff::STABLE_AFTER {
                backoff.reset();
            }
            connection = match self.reconnect(&mut backoff).await {
                Ok(connection) => connection,
                Err(exit) => return exit,
            };
        }
    }

    async fn reconnect(&mut self, backoff: &mut Backoff) -> Result<Connection, Exit> {
        loop {
            self.wait(backoff.next_delay()).await?;
            let error = match self.attempt(Session::Resume).await? {
                Ok(connection) => return Ok(connection),
                Err(error) => Arc::new(error),
            };
            self.emit(Event::ConnectionFailed { error: Arc::clone(&error) });
            if error.is_permanent() {
                return Err(Exit::GaveUp(error));
            }
        }
    }

    /// One connection attempt, given up when the application is done.
    async fn attempt(&mut self, session: Session) -> Result<Result<Connection, Error>, Asked> {
        self.emit(Event::Attempting);
        let Self { options, commands, backlog, outbox, .. } = self;
        let timeline = options.timelines.begin();
        let outcome = tokio::select! {
            outcome = Connection::open(options, backlog, session, &timeline) => outcome,
            asked = asked(commands, outbox) => return Err(asked),
        };
        match &outcome {
            Ok(connection) => {
                let session_present = connection.session_present;
                timeline.connected();
                self.outbox.connected(session_present);
                self.emit(Event::Connected { session_present, timeline });
            }
            Err(error) => timeline.failed(error),
        }
        Ok(outcome)
    }

    async fn wait(&mut self, delay: Duration) -> Result<(), Asked> {
        log::info!("next connection attempt in {:.1} s", delay.as_secs_f64());
        tokio::select! {
            () = sleep(delay) => Ok(()),
            asked = asked(&mut self.commands, &mut self.outbox) => Err(asked),
        }
    }

    /// Sends what is asked for and hands on what arrives, until the connection ends.
    async fn serve(&mut self, connection: &Connection) -> Ended {
        loop {
            self.outbox.send(connection.client(), connection.window);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Perform(action, reply)) => self.outbox.push(action, reply),
                    Some(Command::Disconnect(reply)) => return Ended::Asked(Asked(Some(reply))),
                    None => return Ended::Asked(Asked(None)),
                },
                answer = self.outbox.answer() => if let Err(error) = answer {
                    return Ended::Refused(error);
                },
                event = connection.event() => if let Some(said) = self.heard(event) {
                    return Ended::Lost(said);
                },
            }
        }
    }

    /// Waits for acknowledgements, for a while.
    async fn drain(&mut self, connection: &Connection) {
        let drained = timeout(Self::DRAIN, async {
            while !self.outbox.is_empty() {
                self.outbox.send(connection.client(), connection.window);
                tokio::select! {
                    answer = self.outbox.answer() => if answer.is_err() { return },
                    event = connection.event() => if self.heard(event).is_some() { return },
                }
            }
        });
        if drained.await.is_err() {
            log::warn!("disconnecting although the broker has not acknowledged everything");
        }
    }

    /// Passes an event of paho's on; `Some` if it says that the connection has ended.
    fn heard(&mut self, event: paho::Event) -> Option<Option<Error>> {
        match event {
            paho::Event::Message(message) => {
                self.backlog.queued_for_application();
                let message = Message {
                    topic: message.topic().to_owned(),
                    payload: message.payload().to_vec(),
                    qos: match message.qos() {
                        paho::QoS::AtMostOnce => QoS::AtMostOnce,
                        paho::QoS::AtLeastOnce | paho::QoS::ExactlyOnce => QoS::AtLeastOnce,
                    },
                    retain: message.retained(),
                    ..Message::default()
                };
                if self.events.send(Event::Message(message)).is_err() {
                    self.backlog.taken();
                }
                None
            }
            paho::Event::Connected => None,
            paho::Event::ConnectionLost | paho::Event::Shutdown => Some(None),
            paho::Event::Disconnected { props, reason_code } => Some(Some(Error::Disconnected {
                target: self.options.dialer.target(),
                code: Some(ReasonCode::new(reason_code as u8, self.options.mqtt_version)),
                reason_string: props.get_string(paho::PropertyCode::ReasonString),
                source: None,
            })),
        }
    }

    /// Ends a connection, and its session, in the way that the protocol asks for.
    async fn disconnect(&mut self, connection: Connection) {
        if timeout(Self::DRAIN, connection.disconnect(self.options.mqtt_version)).await.is_err() {
            log::warn!("the connection could not be closed in an orderly way");
        }
    }

    fn emit(&self, event: Event) {
        match &event {
            Event::Attempting => log::debug!("connecting to {}", self.options.dialer.target()),
            Event::Connected { session_present, .. } => log::info!(
                "connected to {} as {} (session present: {session_present})",
                self.options.dialer.target(),
                self.options.client_id
            ),
            Event::ConnectionFailed { error } | Event::Disconnected { error } => {
                log::warn!("{}", WithHint(error))
            }
            Event::Stopped { .. } => log::debug!("the client has stopped"),
            Event::Dropped { topic } => {
                log::warn!("the queue is full: dropped the oldest message, to {topic}")
            }
            Event::Message(_) => {}
        }
        // The application may not care for events.
        let _ = self.events.send(event);
    }
}

/// Resolves when the application is done; what it asks for before waits in the outbox.
async fn asked(commands: &mut mpsc::Receiver<Command>, outbox: &mut Outbox) -> Asked {
    loop {
        match commands.recv().await {
            Some(Command::Perform(action, reply)) => outbox.push(action, reply),
            Some(Command::Disconnect(reply)) => return Asked(Some(reply)),
            None => return Asked(None),
        }
    }
}
