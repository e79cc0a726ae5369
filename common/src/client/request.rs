//! What an application asks for, and how paho is asked for it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use paho_mqtt as paho;
use tokio::sync::oneshot;

use crate::client::outbox::aliases::Aliases;
use crate::client::paho::properties;
use crate::client::{ClientOptions, Message, MqttVersion, Operation, QoS, Quotas, ReasonCode};
use crate::error::Error;
use crate::failure;

/// The outcome of a command.
pub(crate) type Outcome = Result<(), Error>;

/// What a [`Client`](crate::client::Client) asks of its driver.
#[derive(Debug)]
pub(crate) enum Command {
    Perform(Action, Reply),
    Disconnect(oneshot::Sender<Outcome>),
}

/// Where the outcome of an action goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Nowhere: the client itself asked, or a process that has ended.
    Nobody,
    /// To a caller who waits for it. Once that one is gone, an action that was not begun need not be.
    Caller(oneshot::Sender<Outcome>),
    /// To a caller who left it to the client: first whether the client takes it over, then the broker's answer.
    Delivery { accepted: Option<oneshot::Sender<Outcome>>, answer: oneshot::Sender<Outcome> },
}

impl Reply {
    /// Whether it is one that [`is_abandoned`](Self::is_abandoned) can ever be true of.
    pub(crate) fn may_be_abandoned(&self) -> bool {
        matches!(self, Reply::Caller(_))
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Reply::Caller(caller) => caller.is_closed(),
            Reply::Nobody | Reply::Delivery { .. } => false,
        }
    }

    /// Whether the client had taken the action over before it came to the driver, with room in the queue.
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self, Reply::Delivery { accepted: None, .. })
    }

    /// The client has taken the action over.
    pub(crate) fn accept(&mut self) {
        if let Reply::Delivery { accepted, .. } = self
            && let Some(accepted) = accepted.take()
        {
            // As below.
            let _ = accepted.send(Ok(()));
        }
    }

    pub(crate) fn answer(self, outcome: Outcome) {
        let receiver = match self {
            Reply::Nobody => return,
            Reply::Caller(caller) => caller,
            Reply::Delivery { accepted: Some(accepted), .. } => accepted,
            Reply::Delivery { accepted: None, answer } => answer,
        };
        // The caller may have stopped waiting. What is lost is told of all the same.
        if let Err(Err(error)) = receiver.send(outcome) {
            failure::warn(&error);
        }
    }
}

/// Something that the broker has to acknowledge.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Publish(Arc<Message>),
    Subscribe { filter: String, qos: QoS },
    Unsubscribe { filter: String },
}

impl Action {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Action::Publish(message) => Operation::publish(message),
            Action::Subscribe { filter, .. } => Operation::Subscribe { filter: filter.clone() },
            Action::Unsubscribe { filter } => Operation::Unsubscribe { filter: filter.clone() },
        }
    }

    /// Refuses what no broker takes, what the quotas do not allow, and what the MQTT library cannot carry: it keeps
    /// text as C strings.
    pub(crate) fn check(&self, options: &ClientOptions) -> Result<(), Error> {
        let problem = match self {
            Action::Publish(message) => message_problem(message, options),
            Action::Subscribe { filter, .. } => {
                let topic = without_group(filter);
                text_problem(filter).or_else(|| topic_problem(topic, &options.quotas)).or_else(|| {
                    // https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html
                    let is_ingest = topic.starts_with(BASIC_INGEST);
                    is_ingest.then(|| "a topic of Basic Ingest is only published to".to_owned())
                })
            }
            // What could be subscribed to can be unsubscribed from.
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

/// What is wrong with a message, a will's too.
pub(crate) fn message_problem(message: &Message, options: &ClientOptions) -> Option<String> {
    let quotas = &options.quotas;
    if message.topic.contains(['+', '#']) {
        return Some("a topic name holds no wildcard (MQTT 5.0 §4.7.1)".to_owned());
    }
    // A subscription to it is one to a share of another topic (MQTT 5.0 §4.8.2): the message would reach nobody.
    if message.topic.starts_with("$share/") {
        return Some(
            "a topic name does not begin with $share/: that is for filters of shared subscriptions"
                .to_owned(),
        );
    }
    if let Some(problem) = topic_problem(&message.topic, quotas) {
        return Some(problem);
    }
    if let Some(maximum) = quotas.payload.filter(|maximum| message.payload.len() > *maximum) {
        let length = message.payload.len();
        return Some(format!("its payload has {length} bytes, and AWS IoT Core takes at most {maximum}"));
    }
    if options.mqtt_version == MqttVersion::V311
        && let Some(property) = message.needs_mqtt_5()
    {
        return Some(format!("MQTT 3.1.1 carries no {property}"));
    }
    properties_problem(message)
}

fn properties_problem(message: &Message) -> Option<String> {
    let pairs = message.user_properties.iter().flat_map(|(name, value)| [name, value]);
    let texts = message.content_type.iter().chain(&message.response_topic).chain(pairs);
    if texts.clone().any(|text| text.contains('\0')) {
        return Some("a property contains U+0000 (MQTT 5.0 §1.5.4)".to_owned());
    }
    let lengths = texts.map(String::len).chain(message.correlation_data.iter().map(Vec::len));
    if lengths.max() > Some(MAXIMUM_TEXT) {
        return Some("a property is longer than 65,535 bytes (MQTT 5.0 §1.5.4)".to_owned());
    }
    match message.response_topic.as_deref() {
        Some("") => Some("its response topic is empty (MQTT 5.0 §4.7.3)".to_owned()),
        Some(topic) if topic.contains(['+', '#']) => {
            Some("its response topic holds a wildcard (MQTT 5.0 §3.3.2.3.5)".to_owned())
        }
        _ => None,
    }
}

/// What is wrong with a topic name or filter.
fn topic_problem(topic: &str, quotas: &Quotas) -> Option<String> {
    let counted = without_rule(topic);
    let slashes = counted.matches('/').count();
    text_problem(topic)
        .or_else(|| {
            let maximum = quotas.topic.filter(|maximum| counted.len() > *maximum)?;
            Some(format!("its topic has {} bytes, and AWS IoT Core takes at most {maximum}", counted.len()))
        })
        .or_else(|| {
            let maximum = quotas.topic_slashes.filter(|maximum| slashes > *maximum)?;
            Some(format!("its topic has {slashes} slashes, and AWS IoT Core takes at most {maximum}"))
        })
}

fn text_problem(text: &str) -> Option<String> {
    let problem = match text {
        "" => "its topic is empty (MQTT 5.0 §4.7.3)",
        text if text.contains('\0') => "its topic contains U+0000 (MQTT 5.0 §1.5.4)",
        text if text.len() > MAXIMUM_TEXT => "its topic is longer than 65,535 bytes (MQTT 5.0 §4.7.3)",
        _ => return None,
    };
    Some(problem.to_owned())
}

/// A topic without the prefix of Basic Ingest, which AWS does not count
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html>).
fn without_rule(topic: &str) -> &str {
    let rest = topic.strip_prefix(BASIC_INGEST).and_then(|rest| rest.split_once('/'));
    rest.map_or(topic, |(_, counted)| counted)
}

/// A filter without the group of a shared subscription (MQTT 5.0 §4.8.2).
fn without_group(filter: &str) -> &str {
    let rest = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    rest.map_or(filter, |(_, filter)| filter)
}

/// The prefix of the topics of Basic Ingest.
const BASIC_INGEST: &str = "$aws/rules/";

/// The length of a string or of binary data has two bytes.
const MAXIMUM_TEXT: usize = u16::MAX as usize;

/// Hands an action to paho; the future is the broker's answer, under `id`.
pub(crate) fn send(
    client: &paho::AsyncClient,
    aliases: &mut Aliases,
    action: &Action,
    id: u64,
) -> BoxFuture<'static, (u64, Result<(), paho::Error>)> {
    match action {
        Action::Publish(message) => match properties::publish(message, &aliases.form(&message.topic)) {
            Ok(message) => {
                let token = client.publish(message);
                Box::pin(async move { (id, token.await) })
            }
            Err(error) => Box::pin(async move { (id, Err(error)) }),
        },
        Action::Subscribe { filter, qos: maximum } => {
            let token = client.subscribe(filter.as_str(), properties::qos(*maximum));
            Box::pin(async move { (id, token.await.and_then(granted)) })
        }
        Action::Unsubscribe { filter } => {
            let token = client.unsubscribe(filter.as_str());
            Box::pin(async move { (id, token.await.and_then(granted)) })
        }
    }
}

/// paho counts some SUBACKs and all UNSUBACKs as a success, even if they say no.
fn granted(response: paho::ServerResponse) -> Result<(), paho::Error> {
    const FAILURE: i32 = 0x80;
    let code = response.reason_code();
    if code.is_err() {
        return Err(paho::Error::ReasonCode(code, response.properties().clone()));
    }
    match response.subscribe_response() {
        Some(granted) if granted >= FAILURE => {
            Err(paho::Error::ReasonCode(paho::ReasonCode::UnspecifiedError, paho::Properties::new()))
        }
        _ => Ok(()),
    }
}

/// Whether an action failed because its connection ended, so that the next connection may carry it.
pub(crate) fn is_connection_loss(error: &paho::Error) -> bool {
    match error {
        paho::Error::OperationIncomplete | paho::Error::Disconnected | paho::Error::MaxBufferedMessages => {
            true
        }
        paho::Error::Publish(code, _) => is_connection_loss(&paho::Error::from_return_code(*code)),
        _ => false,
    }
}

/// On MQTT 3.1.1 paho reports a refused subscription as a nameless failure.
pub(crate) fn refused_on_v311(
    action: &Action,
    error: &paho::Error,
    version: MqttVersion,
) -> Option<ReasonCode> {
    let refused = matches!(action, Action::Subscribe { .. })
        && matches!(error, paho::Error::Failure)
        && version == MqttVersion::V311;
    refused.then(|| ReasonCode::new(0x80, version))
}
