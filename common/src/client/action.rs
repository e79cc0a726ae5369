//! What an application asks for, and how paho is asked for it.

use futures_util::future::BoxFuture;
use paho_mqtt as paho;
use tokio::sync::oneshot;

use super::{Message, MqttVersion, Operation, QoS, ReasonCode};
use crate::error::Error;

/// Where the outcome of a command goes.
pub(super) type Reply = oneshot::Sender<Result<(), Error>>;

/// What a [`Client`](super::Client) asks of its driver.
#[derive(Debug)]
pub(super) enum Command {
    Perform(Action, Reply),
    Disconnect(Reply),
}

/// Something that the broker has to acknowledge.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Publish(Message),
    Subscribe { filter: String, qos: QoS },
    Unsubscribe { filter: String },
}

impl Action {
    pub(super) fn operation(&self) -> Operation {
        match self {
            Action::Publish(message) => Operation::Publish { topic: message.topic.clone() },
            Action::Subscribe { filter, .. } => Operation::Subscribe { filter: filter.clone() },
            Action::Unsubscribe { filter } => Operation::Unsubscribe { filter: filter.clone() },
        }
    }

    /// What no broker takes, and what the MQTT library cannot carry: it keeps topics as C strings.
    pub(super) fn check(&self) -> Result<(), Error> {
        let problem = match self {
            Action::Publish(message) if message.topic.contains(['+', '#']) => {
                "a topic name holds no wildcard (MQTT 5.0 §4.7.1)"
            }
            Action::Publish(Message { topic: text, .. })
            | Action::Subscribe { filter: text, .. }
            | Action::Unsubscribe { filter: text } => match text.as_str() {
                "" => "it is empty (MQTT 5.0 §4.7.3)",
                text if text.contains('\0') => "it contains U+0000 (MQTT 5.0 §1.5.4)",
                text if text.len() > usize::from(u16::MAX) => {
                    "it is longer than 65,535 bytes (MQTT 5.0 §4.7.3)"
                }
                _ => return Ok(()),
            },
        };
        Err(Error::OperationInvalid { operation: self.operation(), source: problem.into() })
    }
}

/// Hands an action to paho; the future is the broker's answer, under `id`.
pub(super) fn send(
    client: &paho::AsyncClient,
    action: &Action,
    id: u64,
) -> BoxFuture<'static, (u64, Result<(), paho::Error>)> {
    let qos = |qos: QoS| match qos {
        QoS::AtMostOnce => paho::QoS::AtMostOnce,
        QoS::AtLeastOnce => paho::QoS::AtLeastOnce,
    };
    match action {
        Action::Publish(message) => {
            let message = paho::MessageBuilder::new()
                .topic(message.topic.as_str())
                .payload(message.payload.as_slice())
                .qos(qos(message.qos))
                .retained(message.retain)
                .finalize();
            let token = client.publish(message);
            Box::pin(async move { (id, token.await) })
        }
        Action::Subscribe { filter, qos: maximum } => {
            let token = client.subscribe(filter.as_str(), qos(*maximum));
            Box::pin(async move { (id, token.await.and_then(granted)) })
        }
        Action::Unsubscribe { filter } => {
            let token = client.unsubscribe(filter.as_str());
            Box::pin(async move { (id, token.await.map(drop)) })
        }
    }
}

/// paho counts a SUBACK as a success even if it says no.
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
pub(super) fn is_connection_loss(error: &paho::Error) -> bool {
    match error {
        paho::Error::OperationIncomplete | paho::Error::Disconnected | paho::Error::MaxBufferedMessages => {
            true
        }
        paho::Error::Publish(code, _) => is_connection_loss(&paho::Error::from_return_code(*code)),
        _ => false,
    }
}

/// On MQTT 3.1.1 paho reports a refused subscription as a nameless failure.
pub(super) fn refused_on_v311(
    action: &Action,
    error: &paho::Error,
    version: MqttVersion,
) -> Option<ReasonCode> {
    let refused = matches!(action, Action::Subscribe { .. })
        && matches!(error, paho::Error::Failure)
        && version == MqttVersion::V311;
    refused.then(|| ReasonCode::new(0x80, version))
}
