//! Judges CONNECT.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::account::Account;
use crate::excerpt::excerpt;
use crate::gate::identity::{Client, Identity};
use crate::gate::lease::Lease;
use crate::gate::session::Session;
use crate::limits;
use crate::mqtt::connect::{Connect, ConnectError, Will};
use crate::mqtt::{Version, reason, reply};
use crate::policy::{Action, Permissions};

/// Return codes of a 3.1.1 CONNACK (MQTT 3.1.1 §3.2.2.3).
mod return_code {
    pub(super) const UNACCEPTABLE_VERSION: u8 = 1;
    pub(super) const IDENTIFIER_REJECTED: u8 = 2;
    pub(super) const SERVER_UNAVAILABLE: u8 = 3;
    pub(super) const NOT_AUTHORIZED: u8 = 5;
}

/// MQTT 5's code for a level that the server does not speak.
const UNSUPPORTED_PROTOCOL_VERSION: u8 = 0x84;

/// A client that may come in.
pub(super) struct Admission {
    pub(crate) session: Session,
    /// The CONNECT for the broker.
    pub(crate) connect: Vec<u8>,
    /// `None` when the connection may last.
    pub(super) lease: Option<Lease>,
}

/// A client that may not.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The CONNACK to send; nothing when there is none to send.
    pub(crate) packet: Vec<u8>,
    pub(crate) why: String,
}

/// Judges the body of a CONNECT.
pub(super) fn admit(body: &[u8], client: Client, account: &Account) -> Result<Admission, Refusal> {
    let connect = match Connect::parse(body) {
        Ok(connect) => connect,
        Err(ConnectError::Malformed) => {
            return Err(Refusal { packet: Vec::new(), why: "malformed".to_owned() });
        }
        // Only MQTT 5 has properties.
        Err(ConnectError::DuplicateProperty) => {
            let code = reason::PROTOCOL_ERROR;
            client.entry.update(|entry| {
                (entry.protocol_level, entry.connack) = (Some(Version::V5.level()), Some(code));
            });
            let packet = reply::connack_refusal(Version::V5, code, None);
            return Err(Refusal { packet, why: "a property occurs twice".to_owned() });
        }
        Err(ConnectError::UnsupportedVersion { level }) => {
            let (version, code) = match level {
                0..=4 => (Version::V311, return_code::UNACCEPTABLE_VERSION),
                _ => (Version::V5, UNSUPPORTED_PROTOCOL_VERSION),
            };
            client.entry.update(|entry| (entry.protocol_level, entry.connack) = (Some(level), Some(code)));
            let packet = reply::connack_refusal(version, code, None);
            return Err(Refusal { packet, why: format!("protocol level {level}") });
        }
    };
    let assigned = connect.client_id.is_empty();
    let client_id = if assigned { format!("$GEN/{}", Uuid::new_v4()) } else { connect.client_id.to_owned() };
    client.entry.names(connect.version.level(), &client_id);

    if connect.version == Version::V5
        && let Some((code, reason_string)) = account.refusals.lock().pop_front()
    {
        client.entry.update(|entry| entry.connack = Some(code));
        let packet = reply::connack_refusal(Version::V5, code, Some(&reason_string));
        return Err(Refusal { packet, why: format!("as a test asked for, with 0x{code:02X}") });
    }
    let refuse = |fault: u8, why: &dyn fmt::Display| {
        let code = if connect.version == Version::V5 { fault } else { v311(fault) };
        client.entry.update(|entry| entry.connack = Some(code));
        let packet = reply::connack_refusal(connect.version, code, None);
        Refusal {
            packet,
            why: format!("{why} ({:?}, code 0x{code:02X})", excerpt(&client_id, limits::CLIENT_ID)),
        }
    };
    let Identity { policies, thing, variables, lease } = client
        .authentication
        .complete(client.peer, &connect, account)
        .map_err(|refusal| refuse(reason::NOT_AUTHORIZED, &refusal))?;
    let mut variables =
        variables.with("aws:SourceIp", &client.peer.ip().to_string()).with("iot:ClientId", &client_id);
    if account.things.exists(&client_id) {
        let attached = thing.as_deref() == Some(&client_id);
        variables = variables
            .with("iot:Connection.Thing.ThingName", &client_id)
            .with("iot:Connection.Thing.IsAttached", if attached { "true" } else { "false" });
    }
    let permissions = Arc::new(Permissions::new(Arc::clone(&account.policies), policies, variables));
    judge(&connect, &client_id, assigned, &permissions).map_err(|(code, why)| refuse(code, &why))?;

    // The gate keeps the time, since the broker would close without a DISCONNECT.
    let rewritten = connect.rewrite(&broker_client_id(&client_id), u16::MAX);
    let session = Session {
        version: connect.version,
        keep_alive: limits::keep_alive(connect.keep_alive),
        client_id,
        assigned,
        permissions,
        subscriptions: Mutex::default(),
        entry: client.entry,
    };
    Ok(Admission { session, connect: rewritten, lease })
}

/// The reason code of MQTT 5, and why.
type Fault = (u8, &'static str);

fn judge(
    connect: &Connect<'_>,
    client_id: &str,
    assigned: bool,
    permissions: &Permissions,
) -> Result<(), Fault> {
    if connect.enhanced_authentication {
        return Err((reason::BAD_AUTHENTICATION_METHOD, "enhanced authentication is not supported"));
    }
    if assigned && connect.version == Version::V311 && !connect.clean_start {
        return Err((reason::CLIENT_ID_NOT_VALID, "no client ID, but a session to keep"));
    }
    if client_id.len() > limits::CLIENT_ID {
        return Err((reason::CLIENT_ID_NOT_VALID, "the client ID is longer than 128 bytes"));
    }
    if !assigned && client_id.starts_with('$') {
        return Err((reason::CLIENT_ID_NOT_VALID, "the client ID has the reserved prefix $"));
    }
    if let Some(will) = &connect.will {
        judge_will(will)?;
    }
    if !permissions.allow(Action::Connect, client_id) {
        return Err((reason::NOT_AUTHORIZED, "iot:Connect is not allowed"));
    }
    if let Some(will) = &connect.will {
        let allowed = permissions.allow(Action::Publish, will.topic)
            && (!will.retain || permissions.allow(Action::RetainPublish, will.topic));
        if !allowed {
            return Err((reason::NOT_AUTHORIZED, "publishing the will is not allowed"));
        }
    }
    Ok(())
}

fn judge_will(will: &Will<'_>) -> Result<(), Fault> {
    if will.qos > 1 {
        return Err((reason::QOS_NOT_SUPPORTED, "the will asks for QoS 2"));
    }
    // Its payload cannot be too large: the packet counts it with two bytes.
    limits::topic_name(will.topic).map_err(|code| (code, "the will's topic is not valid"))?;
    if will.retain && will.topic.starts_with('$') {
        return Err((reason::RETAIN_NOT_SUPPORTED, "the will has RETAIN on a reserved topic"));
    }
    Ok(())
}

/// The return code of MQTT 3.1.1 that comes nearest.
fn v311(reason: u8) -> u8 {
    match reason {
        reason::NOT_AUTHORIZED => return_code::NOT_AUTHORIZED,
        reason::CLIENT_ID_NOT_VALID => return_code::IDENTIFIER_REJECTED,
        _ => return_code::SERVER_UNAVAILABLE,
    }
}

/// The broker takes IDs that could name a file. Others go in under their hash.
fn broker_client_id(client_id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if client_id.bytes().all(plain) && !client_id.starts_with("sha256-") {
        client_id.to_owned()
    } else {
        format!("sha256-{}", hex::encode(Sha256::digest(client_id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_that_are_no_file_names_are_hashed() {
        assert_eq!(broker_client_id("test-1_A"), "test-1_A");
        for id in ["a/b", "a\\b", "..", "cert:x", "ä", "sha256-00"] {
            let hashed = broker_client_id(id);
            assert!(hashed.starts_with("sha256-") && hashed.len() == 71, "{hashed}");
        }
        assert_ne!(broker_client_id("a/b"), broker_client_id("a\\b"));
    }
}
