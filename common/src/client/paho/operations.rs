//! Operations as paho has them, and its word for their end.

use futures_util::future::BoxFuture;
use paho_mqtt as paho;

use super::properties;
use crate::client::outbox::aliases::Aliases;
use crate::client::reason::ReasonCode;
use crate::client::request::Action;
use crate::client::version::MqttVersion;

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
