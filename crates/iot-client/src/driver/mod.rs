//! The task behind a [`Client`](crate::Client): connects, serves commands, reconnects.

mod backoff;
mod connect_rate;
pub(crate) mod connection;
pub(crate) mod shared;
mod takeovers;

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::driver::backoff::Backoff;
use crate::driver::connection::Connection;
use crate::driver::shared::Shared;
use crate::driver::takeovers::Takeovers;
use crate::error::Error;
use crate::events::EventSender;
use crate::hint;
use crate::link::inbox::{Gate, Hold};
use crate::outbox::Outbox;
use crate::request::{COMMAND_QUEUE, Command, Outcome};
use crate::session::SessionStart;
use crate::{ClientOptions, Event, MqttVersion, SessionPolicy, Status};

pub(crate) struct Driver {
    options: Arc<ClientOptions>,
    commands: mpsc::Receiver<Command>,
    events: EventSender,
    shared: Arc<Shared>,
    outbox: Outbox,
    /// The inbox gate of the newest connection.
    gate: Option<Gate>,
    /// Set once the application is done.
    leaving: Option<Leaving>,
    status: Status,
}

/// The way to the first connection.
pub(crate) enum Start {
    /// One attempt; `Client::connect` waits for its outcome, and releases the hold on its messages: none goes to an
    /// application that has stopped waiting. `None` once there is an outcome.
    Once(Option<oneshot::Sender<Result<Hold, Error>>>),
    /// As many attempts as it takes.
    Persistently,
}

/// The application asked to disconnect, or has dropped the client.
struct Leaving {
    reply: Option<oneshot::Sender<Outcome>>,
    /// The end of the wait for acknowledgements.
    until: Instant,
}

/// The application is done, and so is the client.
struct Left;

/// The end of the time with one connection.
enum Ended {
    Left,
    /// With the broker's word for it, if it sent a DISCONNECT.
    Lost(Option<Error>),
    /// The connection stands, but what the application counts on was refused.
    Refused(Error),
}

/// The end of the client.
enum Exit {
    Left,
    GaveUp(Arc<Error>),
}

impl From<Left> for Exit {
    fn from(Left: Left) -> Self {
        Exit::Left
    }
}

impl Driver {
    /// The time that the DISCONNECT may take to be sent.
    const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    pub(crate) fn new(
        options: Arc<ClientOptions>,
        outbox: Outbox,
        commands: mpsc::Receiver<Command>,
        events: EventSender,
        shared: Arc<Shared>,
    ) -> Self {
        let mut driver = Self {
            options,
            commands,
            events,
            shared,
            outbox,
            gate: None,
            leaving: None,
            status: Status::default(),
        };
        // There may be messages of an earlier run.
        driver.report();
        driver
    }

    /// Runs until the application is done or nothing will ever heal. A panic below does not heal either, and is told like
    /// any other end.
    pub(crate) async fn run(mut self, mut start: Start) {
        // The replies to the callers outlive the panic: they are dropped with `self`, once the reason is known.
        let exit = match AssertUnwindSafe(self.live(&mut start)).catch_unwind().await {
            Ok(Some(exit)) => exit,
            Ok(None) => return,
            Err(panic) => {
                // The panic has dropped the connection, and its link may be putting a message among the events. One that
                // nobody takes stays with the broker, and none follows `Stopped`.
                self.events.leave();
                if let Some(gate) = self.gate.take() {
                    gate.closed().await;
                }
                Exit::GaveUp(Arc::new(Error::panicked("client", &*panic)))
            }
        };
        if let Exit::GaveUp(error) = &exit {
            // Set here only, before the waiting callers learn of the end by losing their replies.
            self.shared.give_up(error);
        }
        self.status.connected = false;
        let closed = AssertUnwindSafe(self.close()).catch_unwind().await;
        let (lost, stored) = self.outbox.undelivered();
        let outcome = match lost {
            0 => Ok(()),
            messages => Err(Error::Undelivered { target: self.options.dialer.target(), messages }),
        };
        // The application hears of the end before the logger does, which may panic.
        let unheard = match exit {
            Exit::Left => {
                self.events.send(Event::Stopped { error: None });
                match self.leaving.take().and_then(|leaving| leaving.reply) {
                    Some(reply) => reply.send(outcome).err(),
                    None => Some(outcome),
                }
            }
            Exit::GaveUp(error) => {
                self.events.send(Event::Stopped { error: Some(error) });
                // Their callers hear why; not all of them listen.
                Some(outcome)
            }
        };
        if let Err(panic) = closed {
            log::error!("{}", Error::panicked("client", &*panic));
        }
        if stored > 0 {
            log::warn!("{stored} messages stay in the message store for the next run");
        }
        if let Some(Err(undelivered)) = unheard {
            log::warn!("{undelivered}");
        }
        log::debug!("the client has stopped");
    }

    /// Makes known that there is no connection, and closes the message store.
    async fn close(&mut self) {
        self.report();
        self.outbox.close().await;
    }

    /// Connects and serves connections; `None` if there was to be no client.
    async fn live(&mut self, start: &mut Start) -> Option<Exit> {
        let mut backoff = Backoff::new(self.options.reconnect_minimum, self.options.reconnect_maximum);
        let connection = match start {
            Start::Once(connected) => self.connect_once(connected).await?,
            Start::Persistently => match self.connect(&mut backoff).await {
                Ok(connection) => connection,
                Err(exit) => return Some(exit),
            },
        };
        Some(self.keep_up(connection, &mut backoff).await)
    }

    /// Makes the first connection, and tells `connected` of it; `None` if there is to be no client.
    async fn connect_once(
        &mut self,
        connected: &mut Option<oneshot::Sender<Result<Hold, Error>>>,
    ) -> Option<Connection> {
        let outcome = {
            let waiting = connected.as_mut()?;
            tokio::select! {
                outcome = self.attempt() => outcome,
                // The caller has stopped waiting.
                () = waiting.closed() => Err(Left),
            }
        };
        let connected = connected.take()?;
        let error = match outcome {
            Ok(Ok((connection, _))) if connected.is_closed() => {
                connection.disconnect(&self.options, Self::DISCONNECT_TIMEOUT).await;
                None
            }
            Ok(Ok((connection, hold))) => {
                // A caller that stops waiting now has dropped the client, too.
                let _ = connected.send(Ok(hold));
                return Some(connection);
            }
            Ok(Err(error)) => Some(error),
            Err(Left) => None,
        };
        // The caller may try again as soon as it knows, and that client needs the message store.
        self.outbox.close().await;
        if let Some(error) = error {
            let _ = connected.send(Err(error));
        }
        None
    }

    /// Serves connections, one after the other, until the end.
    async fn keep_up(&mut self, mut connection: Connection, backoff: &mut Backoff) -> Exit {
        let mut takeovers = Takeovers::default();
        loop {
            let since = Instant::now();
            let error = match self.serve(&connection).await {
                Ended::Lost(None) => connection.lost(&self.options).await,
                Ended::Left => {
                    self.events.settle();
                    connection.disconnect(&self.options, Self::DISCONNECT_TIMEOUT).await;
                    return Exit::Left;
                }
                Ended::Refused(error) if error.is_permanent() => {
                    self.options.timelines.ended(&error);
                    connection.disconnect(&self.options, Self::DISCONNECT_TIMEOUT).await;
                    return Exit::GaveUp(Arc::new(error));
                }
                // A broker that is busy may take on the next connection what it has refused.
                Ended::Lost(Some(error)) | Ended::Refused(error) => {
                    connection.abandon().await;
                    error
                }
            };
            let renewed = self.outbox.connection_lost(&error);
            self.options.timelines.ended(&error);
            self.status.connected = false;
            self.report();
            let error = Arc::new(error);
            self.emit(Event::Disconnected { error: Arc::clone(&error) });
            if error.is_permanent() {
                return Exit::GaveUp(error);
            }
            if let Err(refused) = renewed
                && refused.is_permanent()
            {
                return Exit::GaveUp(Arc::new(refused));
            }
            let stable = since.elapsed() >= Backoff::STABLE_AFTER;
            if let Some(times) = takeovers.count(&error, stable) {
                let (target, client_id) = (self.options.dialer.target(), self.options.client_id.clone());
                return Exit::GaveUp(Arc::new(Error::TakenOver { target, client_id, times }));
            }
            if stable {
                backoff.reset();
            }
            connection = match self.reconnect(backoff).await {
                Ok(connection) => connection,
                Err(exit) => return exit,
            };
        }
    }

    /// Connects after a pause.
    async fn reconnect(&mut self, backoff: &mut Backoff) -> Result<Connection, Exit> {
        self.pause(backoff).await?;
        self.connect(backoff).await
    }

    /// Tries until there is a connection, with a pause after each failure.
    async fn connect(&mut self, backoff: &mut Backoff) -> Result<Connection, Exit> {
        loop {
            let error = match self.attempt().await? {
                Ok((connection, hold)) => {
                    hold.release();
                    return Ok(connection);
                }
                Err(error) => Arc::new(error),
            };
            self.emit(Event::ConnectionFailed { error: Arc::clone(&error) });
            if error.is_permanent() {
                return Err(Exit::GaveUp(error));
            }
            self.pause(backoff).await?;
        }
    }

    /// One connection attempt, as soon as it may be made, and given up when the application is done.
    async fn attempt(&mut self) -> Result<Result<(Connection, Hold), Error>, Left> {
        while let Err(allowed) = self.may_attempt() {
            self.sleep(allowed).await?;
        }
        self.emit(Event::Attempting);
        let session = self.session();
        let timeline = self.options.timelines.begin();
        let (options, events) = (Arc::clone(&self.options), self.events.clone());
        let outcome = tokio::select! {
            outcome = Connection::open(&options, &events, session, &timeline) => outcome,
            left = self.left() => return Err(left),
        };
        match &outcome {
            Ok((connection, _)) => {
                let session_present = connection.session_present;
                timeline.connected();
                self.gate = Some(connection.gate.clone());
                self.outbox.connected(session_present, connection.limits);
                self.status.connected = true;
                self.status.connections += 1;
                self.report();
                self.emit(Event::Connected { session_present, timeline });
            }
            Err(error) => timeline.failed(error, error.late()),
        }
        Ok(outcome)
    }

    fn may_attempt(&self) -> Result<(), Instant> {
        let ClientOptions { dialer, client_id, connect_interval, .. } = &*self.options;
        connect_rate::try_acquire(&dialer.target(), client_id, *connect_interval, Instant::now())
    }

    /// The session that the next connection asks for.
    fn session(&self) -> SessionStart {
        match (self.options.session, self.options.mqtt_version) {
            (SessionPolicy::Resume, _) => SessionStart::Resume,
            (SessionPolicy::ResumeAfterFirst, MqttVersion::V5) if self.status.connections > 0 => {
                SessionStart::Resume
            }
            (SessionPolicy::Clean | SessionPolicy::ResumeAfterFirst, _) => SessionStart::Clean,
        }
    }

    /// Waits before the next attempt.
    async fn pause(&mut self, backoff: &mut Backoff) -> Result<(), Left> {
        let delay = backoff.next_delay();
        log::info!("next connection attempt in {:.1} s", delay.as_secs_f64());
        self.sleep(connect_rate::after(Instant::now(), delay)).await
    }

    async fn sleep(&mut self, until: Instant) -> Result<(), Left> {
        if until <= Instant::now() {
            return Ok(());
        }
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            left = self.left() => Err(left),
        }
    }

    /// Resolves when the application is done, and all its requests are either acknowledged or given up. Earlier
    /// requests wait in the outbox.
    async fn left(&mut self) -> Left {
        loop {
            self.report();
            match &self.leaving {
                Some(_) if self.outbox.is_empty() => return Left,
                Some(leaving) => tokio::select! {
                    () = sleep_until(leaving.until) => return Left,
                    () = self.outbox.stored() => {}
                },
                None => tokio::select! {
                    command = self.commands.recv() => self.obey(command),
                    () = self.outbox.stored() => {}
                },
            }
        }
    }

    /// Sends what is asked for and hands on what arrives, until the connection ends.
    async fn serve(&mut self, connection: &Connection) -> Ended {
        loop {
            if let Err(error) = self.outbox.send(connection.session(), connection.window) {
                return Ended::Refused(error);
            }
            self.report();
            let until = match &self.leaving {
                Some(_) if self.outbox.is_empty() => return Ended::Left,
                leaving => leaving.as_ref().map(|leaving| leaving.until),
            };
            let allowed = self.outbox.rate_limited_until().map(Instant::from_std);
            tokio::select! {
                command = self.commands.recv(), if until.is_none() => {
                    self.obey(command);
                    // All that is there goes to paho together: each call on its own would find its threads awake, and
                    // wait for their lock.
                    for _ in 1..COMMAND_QUEUE {
                        match self.commands.try_recv() {
                            Ok(command) if self.leaving.is_none() => self.obey(Some(command)),
                            _ => break,
                        }
                    }
                }
                answer = self.outbox.progress() => if let Err(error) = answer {
                    return Ended::Refused(error);
                },
                said = connection.ended(&self.options) => return Ended::Lost(said),
                () = at(allowed) => {}
                () = at(until) => return Ended::Left,
            }
        }
    }

    /// Does as the application says; `None` is its end.
    fn obey(&mut self, command: Option<Command>) {
        let reply = match command {
            Some(Command::Perform(action, reply)) => {
                for topic in self.outbox.push(action, reply) {
                    self.emit(Event::Dropped { topic });
                }
                return;
            }
            Some(Command::Disconnect(reply)) => Some(reply),
            None => None,
        };
        self.events.leave();
        let until = connect_rate::after(Instant::now(), self.options.shutdown_timeout);
        self.leaving = Some(Leaving { reply, until });
    }

    /// Makes the status known.
    fn report(&mut self) {
        self.outbox.report(&mut self.status);
        self.shared.report(self.status);
    }

    fn emit(&self, event: Event) {
        match &event {
            Event::Attempting => log::debug!("connecting to {}", self.options.dialer.target()),
            Event::Connected { session_present, .. } => log::info!(
                "connected to {} as {} (session present: {session_present})",
                self.options.dialer.target(),
                self.options.client_id
            ),
            Event::ConnectionFailed { error } | Event::Disconnected { error } => hint::warn(error),
            Event::Dropped { topic } => {
                log::warn!("the queue is full: dropped the oldest message, to {topic}")
            }
            // The link sends messages, and `run` sends `Stopped`.
            Event::Message(_) | Event::Stopped { .. } => {}
        }
        self.events.send(event);
    }
}

/// Resolves at that moment, if there is one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
