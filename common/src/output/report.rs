use std::io::{self, Write};
use std::mem;

use iot_client::{Client, ClientOptions, ConnectionPlan, Message};
use iot_transport::text::{json_line, one_line};
use iot_transport::timeline::Timelines;
use serde_json::{Map, Value, json};
use terminal_size::{Width, terminal_size_of};

use super::timeline_json::to_json;
use crate::error::Error;
use crate::publisher::Traffic;

/// A sample's report, one line an event, in a form that scripts can rely on.
///
/// With `--timeline` the last thing in it is the connection attempts of the client that is
/// [watched](Output::watch): after the client, or the last of several, has disconnected, or when this is dropped because
/// the sample ends early.
#[derive(Debug)]
pub struct Output<W: Write> {
    writer: W,
    json: bool,
    timeline: Pending,
    /// Why the last line could not be written; the next one reports it.
    failed: Option<Error>,
    /// How many clients have not disconnected yet.
    connected: usize,
    /// Whose events are reported, where there are several clients.
    client_id: Option<String>,
}

/// What `--timeline` has still to show.
#[derive(Debug)]
enum Pending {
    Nothing,
    /// The attempts of the client, once there is one.
    Asked(Option<Timelines>),
}

impl<W: Write> Output<W> {
    /// How wide a drawing is where stdout is not a terminal.
    const COLUMNS: u16 = 80;

    /// Reports in lines of text.
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, json: false, timeline: Pending::Nothing, failed: None, connected: 0, client_id: None }
    }

    /// Reports in JSON, one object a line.
    pub(crate) fn in_json(mut self) -> Self {
        self.json = true;
        self
    }

    /// Shows the connection attempts at the end.
    pub(crate) fn with_timeline(mut self) -> Self {
        self.timeline = Pending::Asked(None);
        self
    }

    /// Remembers whose connection attempts `--timeline` is about. It takes the options, not the client, so that it
    /// knows of attempts that never become a client.
    pub fn watch(&mut self, options: &ClientOptions) {
        if let Pending::Asked(timelines) = &mut self.timeline {
            *timelines = Some(options.timelines());
        }
    }

    /// `Connected to <endpoint>:<port> as <client id>`
    ///
    /// If it cannot be written, the next line reports that: an open connection ends with a DISCONNECT first, so that the
    /// broker publishes no will.
    pub fn connected(&mut self, client: &Client) {
        let (endpoint, port) = client.endpoint();
        self.connected += 1;
        let text = format!("Connected to {} as {}", client.target(), client.client_id());
        let fields = json!({ "endpoint": endpoint, "port": port, "client_id": client.client_id() });
        self.failed = self.line(&text, "connected", fields).err();
    }

    /// `Client <client id>`: whose events follow, in a sample with several clients. Nothing where they are the same as
    /// before, or with `--json`: there each event has the field `client_id`.
    ///
    /// # Errors
    ///
    /// [`Error::Output`], as for all of these.
    pub fn of(&mut self, client: &Client) -> Result<&mut Self, Error> {
        let id = client.client_id();
        if self.client_id.as_deref() != Some(id) {
            self.client_id = Some(id.to_owned());
            if !self.json {
                self.write(&format!("Client {}\n", one_line(id)))?;
            }
        }
        Ok(self)
    }

    /// `Subscribed to <filter>`
    pub fn subscribed(&mut self, filter: &str) -> Result<(), Error> {
        self.line(&format!("Subscribed to {filter}"), "subscribed", json!({ "filter": filter }))
    }

    /// `Published to <topic>: <payload>`
    pub fn published(&mut self, message: &Message) -> Result<(), Error> {
        self.message("Published to", "published", message)
    }

    /// `Received on <topic>: <payload>`; with `--json` as for a published one also the properties that it has.
    pub fn received(&mut self, message: &Message) -> Result<(), Error> {
        self.message("Received on", "received", message)
    }

    /// The one or the other, as a publisher tells of it.
    pub fn traffic(&mut self, traffic: &Traffic) -> Result<(), Error> {
        match traffic {
            Traffic::Published(message) => self.published(message),
            Traffic::Received(message) => self.received(message),
        }
    }

    /// `Disconnected`, and the timeline where it was asked for.
    pub fn disconnected(&mut self) -> Result<(), Error> {
        self.line("Disconnected", "disconnected", json!({}))?;
        self.connected = self.connected.saturating_sub(1);
        if self.connected == 0 { self.timeline() } else { Ok(()) }
    }

    /// What a connection would be, in several lines, where none is made.
    pub fn plan(&mut self, plan: &ConnectionPlan) -> Result<(), Error> {
        if !self.json {
            let lines = plan.to_string().lines().map(|line| one_line(line) + "\n").collect::<String>();
            return self.write(&lines);
        }
        self.line(
            "",
            "plan",
            json!({
                "target": plan.target, "alpn": plan.alpn, "websocket_path": plan.websocket_path,
                "mqtt_version": plan.mqtt_version.to_string(), "client_id": plan.client_id,
                "username": plan.username, "has_password": plan.has_password,
            }),
        )
    }

    /// Shows the timeline, once.
    fn timeline(&mut self) -> Result<(), Error> {
        let Pending::Asked(timelines) = mem::replace(&mut self.timeline, Pending::Nothing) else {
            return Ok(());
        };
        let attempts = timelines.map(|timelines| timelines.attempts()).unwrap_or_default();
        if self.json {
            return self.line("", "timeline", to_json(&attempts));
        }
        let columns = terminal_size_of(io::stdout()).map_or(Self::COLUMNS, |(Width(columns), _)| columns);
        self.write(&attempts.draw(columns.into()))
    }

    fn message(&mut self, text: &str, event: &str, message: &Message) -> Result<(), Error> {
        let payload = String::from_utf8_lossy(&message.payload);
        let line = format!("{text} {}: {payload}", message.topic);
        let mut fields = json!({ "topic": message.topic, "payload": payload });
        let optional = [
            ("retain", message.retain.then(|| true.into())),
            ("content_type", message.content_type.as_deref().map(Value::from)),
            ("response_topic", message.response_topic.as_deref().map(Value::from)),
            (
                "correlation_data",
                message.correlation_data.as_deref().map(String::from_utf8_lossy).map(Value::from),
            ),
            ("message_expiry", message.expiry.map(|expiry| expiry.as_secs().into())),
            (
                "user_properties",
                Some(&message.user_properties).filter(|all| !all.is_empty()).map(|all| json!(all)),
            ),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                fields[name] = value;
            }
        }
        self.line(&line, event, fields)
    }

    fn line(&mut self, text: &str, event: &str, fields: Value) -> Result<(), Error> {
        if self.json {
            let mut object = Map::from_iter([("event".to_owned(), Value::from(event))]);
            if let Some(id) = &self.client_id {
                object.insert("client_id".to_owned(), id.as_str().into());
            }
            if let Value::Object(fields) = fields {
                object.extend(fields);
            }
            self.write(&format!("{}\n", json_line(&Value::Object(object))))
        } else {
            self.write(&format!("{}\n", one_line(text)))
        }
    }

    fn write(&mut self, lines: &str) -> Result<(), Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.writer.write_all(lines.as_bytes()).and_then(|()| self.writer.flush()).map_err(Error::Output)
    }
}

/// On the way out after a failure, which is what the exit code and stderr are about.
impl<W: Write> Drop for Output<W> {
    fn drop(&mut self) {
        if let Err(error) = self.timeline() {
            log::warn!("the timeline could not be shown: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: bool, message: &Message) -> String {
        let mut bytes = Vec::new();
        let output = Output::new(&mut bytes);
        let mut output = if json { output.in_json() } else { output };
        output.received(message).unwrap();
        drop(output);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_payload_cannot_forge_a_line_or_an_escape_sequence() {
        let message = Message::new("a/b", "x\nDisconnected\u{1b}[2J é");
        assert_eq!(written(false, &message), "Received on a/b: x\\nDisconnected\\u{1b}[2J é\n");
        let json = written(true, &message);
        assert_eq!(json.lines().count(), 1);
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["event"], "received");
        assert_eq!(value["payload"], "x\nDisconnected\u{1b}[2J é");
    }
}
