//! What a policy does not allow: each operation is named, and those beside it are tried.

use std::fs;

use sandbox::{Principal, Sandbox};
use serde_json::json;

use crate::report::{Report, by_signature, device};

/// The device may do these, on everything.
fn allow(sandbox: &Sandbox, actions: &[&str]) {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    });
    sandbox.set_policies(Principal::Device, &[document.to_string()]).unwrap();
}

#[test]
fn the_policy_of_pubsub_is_enough() {
    let sandbox = Sandbox::start().unwrap();
    let policy = fs::read_to_string(testkit::workspace().join("policies/pubsub.json")).unwrap();
    sandbox.set_policies(Principal::Device, &[policy]).unwrap();
    Report::of(device(&sandbox), &sandbox).works_with_warnings_of(&[]);
}

#[test]
fn mqtt_3_1_1_closes_the_connection_and_the_rest_is_tried() {
    let sandbox = Sandbox::start().unwrap();
    allow(&sandbox, &["iot:Connect", "iot:Publish", "iot:Receive"]);
    let sample = device(&sandbox).args(["--mqtt-version", "3.1.1"]);
    let report = Report::of(sample, &sandbox)
        .has_failed(&["subscribe"])
        .says("subscribe", &["closed the connection", "hint:", "topicfilter/test/topic"]);
    assert_eq!((report.sign("publish"), report.sign("disconnect")), ("ok", "ok"), "{report:#?}");
}

#[test]
fn connect() {
    let sandbox = Sandbox::start().unwrap();
    Report::of(device(&sandbox).args(["--client-id", "other-1"]), &sandbox)
        .has_failed(&["CONNACK"])
        .says("CONNACK", &["not authorized", "0x87", "hint:", "iot:Connect", "client/other-1"])
        .says("CONNACK", &["means:", "change:", "list-attached-policies"])
        .says("clock", &["as the server's"])
        .stopped("subscribe", "CONNACK");
}

#[test]
fn subscribe() {
    let sandbox = Sandbox::start().unwrap();
    allow(&sandbox, &["iot:Connect", "iot:Publish", "iot:Receive"]);
    let report = Report::of(device(&sandbox), &sandbox)
        .has_failed(&["subscribe"])
        .says("subscribe", &["not authorized", "hint:", "iot:Subscribe", "topicfilter/test/topic"])
        .says("receive", &["not reached: subscribe failed"]);
    assert_eq!((report.sign("publish"), report.sign("disconnect")), ("ok", "ok"), "{report:#?}");
}

#[test]
fn publish() {
    let sandbox = Sandbox::start().unwrap();
    allow(&sandbox, &["iot:Connect", "iot:Subscribe", "iot:Receive"]);
    let report = Report::of(device(&sandbox), &sandbox)
        .has_failed(&["publish"])
        .says("publish", &["not authorized", "hint:", "iot:Publish", "topic/test/topic"])
        .says("receive", &["not reached: publish failed"]);
    assert_eq!((report.sign("unsubscribe"), report.sign("disconnect")), ("ok", "ok"), "{report:#?}");
}

#[test]
fn receive() {
    let sandbox = Sandbox::start().unwrap();
    allow(&sandbox, &["iot:Connect", "iot:Subscribe", "iot:Publish"]);
    let report = Report::of(device(&sandbox).args(["--connect-timeout", "2"]), &sandbox)
        .has_failed(&["receive"])
        .says("receive", &["within 2 s", "hint:", "iot:Receive", "topic/test/topic"]);
    assert_eq!((report.sign("unsubscribe"), report.sign("disconnect")), ("ok", "ok"), "{report:#?}");
}

#[test]
fn the_reason_of_a_refused_connack_is_shown() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.refuse_next_connect(0x97, "too many devices today");
    Report::of(device(&sandbox), &sandbox)
        .has_failed(&["CONNACK"])
        .says("CONNACK", &["quota exceeded", "too many devices today"]);
}

#[test]
fn a_cognito_identity_is_told_what_it_needs() {
    let sandbox = Sandbox::start().unwrap();
    let cognito = sandbox.cognito();
    let sample = by_signature(&sandbox).args(["--client-id", "other-1"]);
    let sample = sample.args(["--cognito-identity", &cognito.identity_id]);
    Report::of(sample.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY", &cognito.endpoint), &sandbox)
        .has_failed(&["CONNACK"])
        .says("CONNACK", &["hint:", "attach-policy", &cognito.identity_id]);
}
