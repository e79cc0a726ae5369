use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::client::{Client, ConnectionPlan, Message};
use crate::logging;

/// What goes to stdout, and how much is logged on stderr.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Print events as JSON, one object a line.
    #[arg(long)]
    pub json: bool,

    /// Log each step of the connection on stderr; RUST_LOG gives finer control.
    #[arg(long, short)]
    pub verbose: bool,

    /// The official samples' flag for the log level.
    #[arg(long, hide = true, ignore_case = true, conflicts_with = "verbose")]
    pub verbosity: Option<Verbosity>,
}

/// The log levels of the official samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Verbosity {
    #[value(alias = "NoLogs")]
    None,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl OutputArgs {
    /// Starts logging to stderr as the flags, or `RUST_LOG`, ask for.
    pub fn start_logging(&self) {
        logging::start(match (self.verbosity, self.verbose) {
            (_, true) => "warn,common=debug,paho_mqtt=error",
            (None | Some(Verbosity::Warn), _) => "warn,paho_mqtt=error",
            (Some(Verbosity::None), _) => "off",
            (Some(Verbosity::Fatal | Verbosity::Error), _) => "error",
            (Some(Verbosity::Info), _) => "info,paho_mqtt=error",
            (Some(Verbosity::Debug), _) => "debug",
            (Some(Verbosity::Trace), _) => "trace",
        });
    }

    /// Where a sample reports what it did.
    pub fn to<W: Write>(&self, writer: W) -> Output<W> {
        Output { writer, json: self.json }
    }
}

/// A sample's report, one line an event, in a form that scripts can rely on.
#[derive(Debug)]
pub struct Output<W> {
    writer: W,
    json: bool,
}

impl<W: Write> Output<W> {
    /// `Connected to <endpoint>:<port> as <client id>`
    ///
    /// # Errors
    ///
    /// The writer's, as for all of these.
    pub fn connected(&mut self, client: &Client) -> io::Result<()> {
        let (endpoint, port) = client.endpoint();
        let text = format!("Connected to {} as {}", client.target(), client.client_id());
        self.line(
            &text,
            "connected",
            json!({ "endpoint": endpoint, "port": port, "client_id": client.client_id() }),
        )
    }

    /// `Subscribed to <filter>`
    pub fn subscribed(&mut self, filter: &str) -> io::Result<()> {
        self.line(&format!("Subscribed to {filter}"), "subscribed", json!({ "filter": filter }))
    }

    /// `Published to <topic>: <payload>`
    pub fn published(&mut self, message: &Message) -> io::Result<()> {
        self.message("Published to", "published", message)
    }

    /// `Received on <topic>: <payload>`
    pub fn received(&mut self, message: &Message) -> io::Result<()> {
        self.message("Received on", "received", message)
    }

    /// `Disconnected`
    pub fn disconnected(&mut self) -> io::Result<()> {
        self.line("Disconnected", "disconnected", json!({}))
    }

    /// What a connection would be, in several lines, where none is made.
    pub fn plan(&mut self, plan: &ConnectionPlan) -> io::Result<()> {
        if !self.json {
            for line in plan.to_string().lines() {
                writeln!(self.writer, "{}", one_line(line))?;
            }
            return self.writer.flush();
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

    fn message(&mut self, text: &str, event: &str, message: &Message) -> io::Result<()> {
        let payload = String::from_utf8_lossy(&message.payload);
        let line = format!("{text} {}: {payload}", message.topic);
        self.line(&line, event, json!({ "topic": message.topic, "payload": payload }))
    }

    fn line(&mut self, text: &str, event: &str, fields: Value) -> io::Result<()> {
        if self.json {
            let mut object = Map::from_iter([("event".to_owned(), Value::from(event))]);
            if let Value::Object(fields) = fields {
                object.extend(fields);
            }
            writeln!(self.writer, "{}", Value::Object(object))?;
        } else {
            writeln!(self.writer, "{}", one_line(text))?;
        }
        self.writer.flush()
    }
}

/// Payloads and topics come from anywhere: a control character must neither end the line nor reach a terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = character.is_control().then(|| character.escape_default());
            let plain = escape.is_none().then_some(character);
            escape.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: bool, message: &Message) -> String {
        let mut bytes = Vec::new();
        Output { writer: &mut bytes, json }.received(message).unwrap();
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
