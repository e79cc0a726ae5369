//! Operations, and paho's many words for their outcome.

use std::future::ready;

use futures_util::future::BoxFuture;
use iot_transport::Cause;
use paho_mqtt as paho;

use super::properties;
use super::session::{Session, reason_string};
use crate::outbox::aliases::Aliases;
use crate::reason::ReasonCode;
use crate::request::Action;
use crate::version::MqttVersion;

/// The outcome of an action on one connection.
pub(crate) type Answer = Result<(), OperationFailure>;

/// The reason why an action has failed on one connection.
#[derive(Debug)]
pub(crate) enum OperationFailure {
    /// The broker says no.
    Refused { code: ReasonCode, reason_string: Option<String> },
    /// The connection ended before the broker answered; the next one may carry the action.
    ConnectionLost,
    /// paho cannot carry the action.
    Invalid(Cause),
}

impl Session {
    /// Hands an action to paho; the future is the answer, under `id`.
    pub(crate) fn send(
        &self,
        aliases: &mut Aliases,
        action: &Action,
        id: u64,
    ) -> BoxFuture<'static, (u64, Answer)> {
        let version = self.version;
        match action {
            Action::Publish(message) => match properties::publish(message, &aliases.form(&message.topic)) {
                Ok(message) => {
                    let token = self.client().publish(message);
                    Box::pin(async move { (id, token.await.map_err(|error| failure(error, version))) })
                }
                Err(error) => Box::pin(ready((id, Err(failure(error, version))))),
            },
            Action::Subscribe { filter, qos: maximum } => {
                let token = self.client().subscribe(filter.as_str(), properties::qos(*maximum));
                Box::pin(async move {
                    let answer = token.await.and_then(granted);
                    (id, answer.map_err(|error| subscribe_failure(error, version)))
                })
            }
            Action::Unsubscribe { filter } => {
                let token = self.client().unsubscribe(filter.as_str());
                Box::pin(async move {
                    let answer = token.await.and_then(granted);
                    (id, answer.map_err(|error| failure(error, version)))
                })
            }
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

fn failure(error: paho::Error, version: MqttVersion) -> OperationFailure {
    match error {
        paho::Error::ReasonCode(code, properties) => OperationFailure::Refused {
            code: ReasonCode::new(code as u8, version),
            reason_string: reason_string(&properties),
        },
        error if is_connection_loss(&error) => OperationFailure::ConnectionLost,
        error => OperationFailure::Invalid(Box::new(error)),
    }
}

/// On MQTT 3.1.1 paho reports a refused subscription as a nameless failure.
fn subscribe_failure(error: paho::Error, version: MqttVersion) -> OperationFailure {
    match (error, version) {
        (paho::Error::Failure, MqttVersion::V311) => {
            OperationFailure::Refused { code: ReasonCode::new(0x80, version), reason_string: None }
        }
        (error, _) => failure(error, version),
    }
}

fn is_connection_loss(error: &paho::Error) -> bool {
    match error {
        paho::Error::OperationIncomplete | paho::Error::Disconnected | paho::Error::MaxBufferedMessages => {
            true
        }
        paho::Error::Publish(code, _) => is_connection_loss(&paho::Error::from_return_code(*code)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::MqttVersion::{V5, V311};
    use super::OperationFailure::{ConnectionLost, Invalid, Refused};
    use super::*;

    #[test]
    fn an_action_that_paho_gives_up_with_its_connection_is_not_refused() {
        // MQTTASYNC_OPERATION_INCOMPLETE.
        let incomplete = paho::Error::Publish(-11, paho::Message::new("t", "", 0));
        for error in [
            paho::Error::OperationIncomplete,
            paho::Error::Disconnected,
            paho::Error::MaxBufferedMessages,
            incomplete,
        ] {
            let shown = error.to_string();
            assert!(matches!(failure(error, V5), ConnectionLost), "{shown}");
        }
    }

    #[test]
    fn a_refusal_has_the_brokers_code_and_anything_else_is_pahos_own() {
        let refused = paho::Error::ReasonCode(paho::ReasonCode::NotAuthorized, paho::Properties::new());
        assert!(
            matches!(failure(refused, V5), Refused { code, reason_string: None } if code.is_not_authorized())
        );
        assert!(matches!(failure(paho::Error::Failure, V311), Invalid(_)));
        assert!(
            matches!(subscribe_failure(paho::Error::Failure, V311), Refused { code, .. } if code.code() == 0x80)
        );
        assert!(matches!(subscribe_failure(paho::Error::Failure, V5), Invalid(_)));
        assert!(matches!(subscribe_failure(paho::Error::BadUtf8String, V311), Invalid(_)));
    }
}
