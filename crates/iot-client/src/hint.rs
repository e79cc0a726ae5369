//! What to do about an error whose cause is known.

use std::error::Error as StdError;
use std::sync::Arc;

use iot_transport as transport;
use iot_transport::text::{Chain, links, one_line};
use iot_transport::tls::tls_cause;
use iot_transport::{HttpRefusal, Setting, shortage, tls_hint};

use crate::auth_kind::AuthKind;
use crate::error::Error;
use crate::operation::{ConnectAsked, Operation};
use crate::reason::ReasonCode;
#[cfg(feature = "store")]
use crate::store::Problem;

impl Error {
    /// What to do, where the cause is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if let Some(hint) = self.shortage() {
            return Some(hint.to_owned());
        }
        match self {
            Error::Transport(error) => error.hint(),
            Error::Credentials { hint, source, .. } => below_credentials(&**source).or_else(|| hint.clone()),
            Error::Signing { .. } => Some("check the endpoint, the region and the access key".to_owned()),
            Error::UpgradeRefused { refusal, auth, .. } => upgrade(refusal, auth),
            Error::ConnectRefused { client_id, code, auth, asked, .. } if code.is_not_authorized() => {
                Some(connect_policy(client_id, auth, asked))
            }
            // Only an authorizer looks at them.
            Error::ConnectRefused {
                client_id, code, auth: auth @ AuthKind::CustomAuthorizer { .. }, asked, ..
            } if code.is_bad_login() => Some(connect_policy(client_id, auth, asked)),
            Error::ClosedBeforeConnack { client_id, auth: auth @ AuthKind::Certificate, asked, .. } => {
                Some(format!("{}, and the certificate must be active", connect_policy(client_id, auth, asked)))
            }
            Error::ClosedBeforeConnack { client_id, auth, asked, .. } => {
                Some(connect_policy(client_id, auth, asked))
            }
            Error::NotMqtt { .. } => Some(
                "check the port, the endpoint and ALPN: AWS IoT Core takes client certificates on 8883, and on 443 only \
                 with ALPN, which a proxy that opens TLS takes away"
                    .to_owned(),
            ),
            Error::Panicked { .. } => Some(
                "this is a defect: report it, with the log that RUST_LOG=debug gives".to_owned(),
            ),
            Error::ConnectRefused { code, .. } if code.is_unknown_version() => {
                Some(format!("the broker speaks MQTT 3.1.1 only: {} 3.1.1", Setting::MqttVersion))
            }
            Error::OperationRefused { operation, code, .. } if code.is_not_authorized() => policy(operation),
            // MQTT 3.1.1 has one code for every refused subscription (§3.9.3).
            Error::OperationRefused { operation: operation @ Operation::Subscribe { .. }, code, .. }
                if code.code() == 0x80 =>
            {
                policy(operation)
            }
            Error::OperationClosesConnection { operation, code, .. }
                if code.is_none_or(ReasonCode::is_not_authorized) =>
            {
                let reserved = is_reserved(operation).then_some(
                    "; AWS IoT Core also ends the connection for a reserved topic ($aws/…) that it does not have",
                );
                Some(policy(operation)? + reserved.unwrap_or_default())
            }
            Error::Disconnected { code: Some(code), .. } if code.is_takeover() => {
                Some("another connection uses the same client ID: give each client its own".to_owned())
            }
            Error::TakenOver { .. } => Some(
                "two devices, or two processes, have the same client ID: give each client its own".to_owned(),
            ),
            Error::QueueFull { .. } => {
                Some("publish less, or let more wait: the limit on the queue is a setting".to_owned())
            }
            Error::Undelivered { .. } => Some(
                "give the network more time to take them, or a directory that keeps them for the next run"
                    .to_owned(),
            ),
            Error::Disconnected { code: Some(code), .. } if code.is_not_authorized() => Some(
                "the policy must allow what the client did last: iot:Publish (a retained message: iot:RetainPublish, too), \
                 iot:Subscribe or iot:Receive"
                    .to_owned(),
            ),
            Error::Disconnected { source: Some(source), .. } => {
                tls_cause(&**source).and_then(|_| tls_hint(&**source))
            }
            Error::OperationTimeout { operation: Operation::Receive { topic }, .. } => Some(format!(
                "nobody published to {topic}, or the policy does not allow iot:Receive on topic/{topic}"
            )),
            #[cfg(feature = "store")]
            Error::Store { source, .. } => source.downcast_ref().and_then(Problem::hint),
            Error::Link(_) => {
                Some("a local firewall or sandbox may forbid connections on 127.0.0.1".to_owned())
            }
            _ => None,
        }
    }

    /// The advice where this process, or the system, has no more descriptors or memory: no peer is to blame then,
    /// whatever the layer.
    #[must_use]
    pub fn shortage(&self) -> Option<&'static str> {
        shortage::hint(self)
    }
}

fn connect_policy(client_id: &str, auth: &AuthKind, asked: &ConnectAsked) -> String {
    let permissions = connect_permissions(client_id, asked);
    match auth {
        AuthKind::Credentials { cognito_identity: Some(identity) } => {
            cognito_policies(identity, &permissions)
        }
        AuthKind::CustomAuthorizer { name } => authorizer(name.as_deref(), &permissions),
        _ => format!("the policy must allow {permissions}"),
    }
}

/// The permissions that a CONNECT needs: a policy may allow a connection without its will and its session
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#connect-attribute>).
fn connect_permissions(client_id: &str, asked: &ConnectAsked) -> String {
    let mut permissions = format!("iot:Connect on client/{client_id}");
    let attributes = [("LastWill", asked.will.is_some()), ("PersistentConnect", asked.session)];
    let attributes = attributes.into_iter().filter_map(|(name, asked)| asked.then_some(name));
    let attributes = attributes.collect::<Vec<_>>().join(" and ");
    if !attributes.is_empty() {
        permissions += &format!(" (with {attributes}, if it has a condition on iot:ConnectAttributes)");
    }
    if let Some(will) = asked.will.as_ref().and_then(permission) {
        permissions += &format!(" and, for the will, {will}");
    }
    permissions
}

/// An authenticated identity may do what its pool's role and a policy of its own both allow
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/cognito-identities.html>).
fn cognito_policies(identity: &str, permission: &str) -> String {
    format!(
        "the role of the identity pool must allow {permission}; the Cognito identity {identity}, if it is an \
         authenticated one, needs an AWS IoT policy of its own that allows the same: `aws iot attach-policy \
         --policy-name … --target {identity}`"
    )
}

/// What can be wrong with a custom authorizer, in the order in which AWS IoT Core comes to it
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/custom-auth-troubleshooting.html>).
fn authorizer(name: Option<&str>, permissions: &str) -> String {
    let exists = match name {
        Some(name) => format!(
            "that the authorizer {name} exists and is active (`aws iot describe-authorizer --authorizer-name {name}`)"
        ),
        None => "that the account has a default authorizer, since none was named (`aws iot \
                 describe-default-authorizer`)"
            .to_owned(),
    };
    format!(
        "check in this order: {exists}; unless its signing is disabled, the token's key name, the token and its \
         signature; the user name and the password; that the policy it answers with allows {permissions}. `aws iot test-invoke-authorizer` and the CloudWatch log of its function show the answer"
    )
}

fn policy(operation: &Operation) -> Option<String> {
    permission(operation).map(|permission| format!("the policy must allow {permission}"))
}

/// Returns whether the operation is about a topic of AWS's own
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/reserved-topics.html>).
fn is_reserved(operation: &Operation) -> bool {
    match operation {
        Operation::Publish { topic, .. } => topic.starts_with("$aws/"),
        Operation::Subscribe { filter } => filter.starts_with("$aws/"),
        _ => false,
    }
}

/// The actions and the resource of an operation
/// (<https://docs.aws.amazon.com/iot/latest/developerguide/iot-policy-actions.html>).
fn permission(operation: &Operation) -> Option<String> {
    match operation {
        Operation::Publish { topic, retain: false } => Some(format!("iot:Publish on topic/{topic}")),
        Operation::Publish { topic, retain: true } => {
            Some(format!("iot:Publish and iot:RetainPublish on topic/{topic}"))
        }
        Operation::Subscribe { filter } => Some(format!("iot:Subscribe on topicfilter/{filter}")),
        Operation::Receive { topic } => Some(format!("iot:Receive on topic/{topic}")),
        _ => None,
    }
}

/// The source's server may be one that a proxy does not let us reach or TLS does not get along with, as any other.
fn below_credentials(cause: &(dyn StdError + 'static)) -> Option<String> {
    use transport::Error::{CertificateRejected, Proxy, Tls};

    match links(cause).find_map(<dyn StdError>::downcast_ref::<transport::Error>) {
        Some(error @ (Proxy { .. } | Tls { .. } | CertificateRejected { .. })) => error.hint(),
        _ => tls_cause(cause).and_then(|_| tls_hint(cause)),
    }
}

fn upgrade(refusal: &HttpRefusal, auth: &AuthKind) -> Option<String> {
    // Nothing is signed for an authorizer, so neither the clock nor a key of AWS's can be wrong.
    if let (AuthKind::CustomAuthorizer { name }, 401 | 403) = (auth, refusal.status) {
        return Some(authorizer(name.as_deref(), "iot:Connect on client/<client ID>"));
    }
    if let (400..=499, Some(skew)) = (refusal.status, refusal.clock_skew)
        && refusal.is_clock()
    {
        return Some(clock(skew));
    }
    let message = refusal.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let is_token = says(&["token"]) && says(&["expired", "invalid"]);
    if let (true, AuthKind::AccessKey { id }) = (is_token, auth) {
        return Some(key_without_token(id));
    }
    let hint = if says(&["signature expired", "not yet current"]) {
        "this machine's clock is wrong: AWS accepts a signature for 5 minutes"
    } else if is_token {
        "the session token has expired or belongs to other credentials: get new ones"
    } else if says(&["signature"]) && says(&["match"]) {
        "check the secret access key, and that a proxy does not change the Host header"
    } else if says(&["region"]) {
        return Some(format!("sign for the region in the endpoint's name ({})", Setting::Region));
    } else if says(&["missing authentication token"]) {
        "the request reached AWS without its signature: does a proxy cut the query off?"
    } else {
        match (refusal.status, auth) {
            (401 | 403, AuthKind::Credentials { cognito_identity: Some(identity) }) => {
                return Some(cognito_policies(identity, "iot:Connect"));
            }
            (401 | 403, _) => {
                "check the access key, the secret key and the session token, the signing region (it must be the \
                 endpoint's), and that the identity's policy allows iot:Connect"
            }
            (200..=399, _) => "what answers is not AWS IoT Core: a captive portal, or another web server?",
            (404, _) => "this server has no /mqtt: is it the endpoint for MQTT?",
            (407, _) => "a proxy wants a user name and password",
            (426, _) => "a proxy in between may not let WebSocket through",
            (429 | 500..=599, _) => "the service is busy: try again in a while",
            _ => return None,
        }
    };
    Some(hint.to_owned())
}

/// AWS calls a key that it does not know an invalid security token, too.
fn key_without_token(id: &str) -> String {
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes>
    if id.starts_with("ASIA") {
        format!(
            "{id} is a temporary access key: give the session token that belongs to it, too (AWS_SESSION_TOKEN)"
        )
    } else {
        format!(
            "AWS does not know the access key ID {id}, and no session token was given: it is misspelt, deleted, or not \
             active (`aws iam list-access-keys`), or one of another partition"
        )
    }
}

/// By how much our clock is off.
fn clock(skew: i64) -> String {
    let direction = if skew > 0 { "fast" } else { "slow" };
    let seconds = skew.unsigned_abs();
    let amount = match seconds {
        ..600 => format!("{seconds} seconds"),
        600..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("this machine's clock is {amount} {direction}: set it; AWS accepts a signature for 5 minutes")
}

/// The target of the client's warnings.
const DRIVER: &str = "iot_client::driver";

/// Logs an error of the client with its causes as a warning, and its hint as another: a record of the log is one line.
pub(crate) fn warn(error: &(dyn StdError + 'static)) {
    log::warn!(target: DRIVER, "{}", Chain(error));
    if let Some(hint) = advice(error) {
        log::warn!(target: DRIVER, "hint: {hint}");
    }
}

/// The advice of the first error of the client or the transport in the chain that has one, on one line.
#[must_use]
pub fn advice(error: &(dyn StdError + 'static)) -> Option<String> {
    links(error).find_map(hint_of).map(|hint| one_line(&hint))
}

fn hint_of(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = own::<Error>(error) {
        return error.hint();
    }
    own::<transport::Error>(error).and_then(transport::Error::hint)
}

/// The error as one of ours; some are shared.
fn own<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    error.downcast_ref().or_else(|| error.downcast_ref::<Arc<E>>().map(AsRef::as_ref))
}

#[cfg(test)]
#[path = "hint_tests.rs"]
mod tests;
