//! The end of temporary credentials.

use std::time::Duration;

use sandbox::{Credentials, Sandbox};
use tokio_tungstenite::tungstenite::Message;

use crate::support::mqtt::Connect;
use crate::support::services::{credentials, metadata};
use crate::support::signed::{connack, open, receive, upgrade};
use crate::support::signer::Signer;
use crate::support::{builder, start};

fn issue(sandbox: &Sandbox) -> Credentials {
    let facts = sandbox.metadata();
    let path = facts.container_credentials_uri.strip_prefix(&facts.endpoint).unwrap();
    let token = format!("Authorization: {}\r\n", facts.container_authorization_token);
    let json = metadata(sandbox, "GET", path, &token).json();
    credentials(sandbox, &json, ["AccessKeyId", "SecretAccessKey", "Token"])
}

#[track_caller]
fn assert_expired(sandbox: &Sandbox, credentials: &Credentials) {
    let answer = upgrade(sandbox, credentials);
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.message(), "The security token included in the request is expired");
}

#[test]
fn credentials_without_a_lifetime_are_expired_at_once() {
    let sandbox = builder().credentials_lifetime(Duration::ZERO).start().unwrap();
    assert_expired(&sandbox, &issue(&sandbox));
    assert_eq!(upgrade(&sandbox, sandbox.credentials()).status, 101);
}

#[test]
fn all_issued_ones_can_be_expired() {
    let mut sandbox = start();
    let old = issue(&sandbox);
    let mut socket = open(&sandbox, &Signer { credentials: old.clone(), ..Signer::new(&sandbox) });
    socket.send(Message::binary(Connect::v5("open").packet())).unwrap();
    assert_eq!(receive(&mut socket)[3], 0);

    sandbox.expire_credentials();
    assert_expired(&sandbox, &old);
    let mut wrong = old.clone();
    wrong.session_token.push('x');
    assert!(upgrade(&sandbox, &wrong).message().contains("is invalid"));
    assert_eq!(connack(&sandbox, sandbox.credentials(), "fixed"), 0);
    let new = issue(&sandbox);
    assert_eq!(connack(&sandbox, &new, "new"), 0);
    // What is open stays open.
    socket.send(Message::binary(vec![0xC0, 0])).unwrap();
    assert_eq!(receive(&mut socket), [0xD0, 0]);

    sandbox.restart().unwrap();
    assert_expired(&sandbox, &old);
    assert_eq!(connack(&sandbox, &new, "new"), 0);
    assert_eq!(connack(&sandbox, &issue(&sandbox), "newer"), 0);
}
