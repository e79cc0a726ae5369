//! What custom authorizers' Lambda functions are told, and what they may answer.

use sandbox::{Authorizer, Principal, Sandbox};
use serde_json::{Value, json};

use crate::support::authorizer::{
    By, POLICY, TOKEN, Visitor, authorizer, encoded, signature, signing_authorizer, user,
};
use crate::support::start;

#[test]
fn the_function_gets_the_documented_event() {
    let sandbox = start();
    sandbox.set_authorizer(signing_authorizer("signing")).unwrap();
    let values = format!(
        "x-amz-customauthorizer-name=signing&Token={}&x-amz-customauthorizer-signature={}",
        encoded(TOKEN),
        encoded(signature())
    );
    user(By::Tls, 4, &values).connected(&sandbox);
    let in_query = Visitor {
        username: Some("user".to_owned()),
        query: format!("?{values}"),
        headers: vec![("X-Custom".to_owned(), "a, b".to_owned())],
        client_id: String::new(),
        ..user(By::WebSocket, 5, "")
    };
    in_query.connected(&sandbox);
    sandbox.set_authorizer(authorizer("unsigned")).unwrap();
    user(By::Tls, 5, "x-amz-customauthorizer-name=unsigned").connected(&sandbox);

    let calls = sandbox.authorizer_calls();
    let [direct, websocket, unsigned] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(direct.authorizer, "signing");
    let id = |input: &Value| input["connectionMetadata"]["id"].as_str().unwrap().to_owned();
    assert!(calls.iter().all(|call| uuid::Uuid::parse_str(&id(&call.input)).is_ok()));
    assert_ne!(id(&direct.input), id(&websocket.input));
    assert_eq!(
        direct.input,
        json!({
            "token": TOKEN,
            "signatureVerified": true,
            "protocols": ["tls", "mqtt"],
            "protocolData": {
                "tls": { "serverName": "localhost" },
                "mqtt": { "username": format!("user?{values}"), "password": "cGFzc3dvcmQ=", "clientId": "visitor" },
            },
            "connectionMetadata": { "id": id(&direct.input) },
        })
    );
    let http = &websocket.input["protocolData"]["http"];
    assert_eq!(websocket.input["protocols"], json!(["tls", "http", "mqtt"]));
    assert_eq!(http["queryString"], format!("?{values}"));
    assert_eq!(
        (&http["headers"]["x-custom"], &http["headers"]["upgrade"]),
        (&json!("a, b"), &json!("websocket"))
    );
    assert_eq!(
        websocket.input["protocolData"]["mqtt"],
        json!({ "username": "user", "password": "cGFzc3dvcmQ=" }),
        "a client ID that the server gives was not sent"
    );
    assert_eq!(unsigned.input["signatureVerified"], false);
    assert_eq!(unsigned.input.get("token"), None);
    let shown = format!("{calls:?}");
    assert!(!shown.contains("cGFzc3dvcmQ=") && !shown.contains(TOKEN), "{shown}");
}

#[test]
fn answers_beyond_the_limits_let_nobody_in() {
    let sandbox = start();
    // A document of this many characters, once it is JSON without white space.
    let sized = |characters: usize| {
        let fill = |resource: &str| {
            json!({ "Statement": { "Action": "iot:*", "Effect": "Allow", "Resource": ["*", resource] } })
                .to_string()
        };
        fill(&"x".repeat(characters - fill("").len()))
    };
    let right = || authorizer("answer");
    let cases = [
        (true, Authorizer { policy_documents: vec![sized(2048); 10], ..right() }),
        (true, Authorizer { disconnect_after_seconds: 300, refresh_after_seconds: 86_400, ..right() }),
        (true, Authorizer { principal_id: "x".repeat(128), ..right() }),
        (false, Authorizer { policy_documents: vec![sized(2049)], ..right() }),
        (false, Authorizer { policy_documents: vec![sized(2048); 11], ..right() }),
        (false, Authorizer { policy_documents: vec!["no JSON".to_owned()], ..right() }),
        (false, Authorizer { principal_id: "x".repeat(129), ..right() }),
        (false, Authorizer { principal_id: "a_b".to_owned(), ..right() }),
        (false, Authorizer { disconnect_after_seconds: 299, ..right() }),
        (false, Authorizer { refresh_after_seconds: 86_401, ..right() }),
    ];
    for (accepted, authorizer) in cases {
        let shown = format!("{authorizer:?}");
        sandbox.set_authorizer(authorizer).unwrap();
        for level in [4, 5] {
            let visitor = user(By::Tls, level, "x-amz-customauthorizer-name=answer");
            if accepted {
                visitor.connected(&sandbox);
            } else {
                visitor.refused(&sandbox);
            }
        }
        let calls = sandbox.authorizer_calls();
        assert_eq!(calls[calls.len() - 1].output["isAuthenticated"], true, "{shown}");
    }
}

#[test]
fn authorizers_that_aws_would_not_take_are_refused() {
    let sandbox = start();
    let mut no_key = signing_authorizer("signing");
    no_key.signing.as_mut().unwrap().public_key = "no key".to_owned();
    let mut no_key_name = signing_authorizer("signing");
    no_key_name.signing.as_mut().unwrap().token_key_name = "a=b".to_owned();
    for (authorizer, words) in [
        (authorizer("a b"), "no name for an authorizer"),
        (authorizer(""), "no name for an authorizer"),
        (no_key, "the public key of the authorizer \"signing\""),
        (no_key_name, "no name for a token's key"),
    ] {
        let error = format!("{:#}", sandbox.set_authorizer(authorizer).unwrap_err());
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_examples_answer_with_one_document_that_can_be_replaced() {
    // The policies of all samples.
    let sandbox = Sandbox::start().unwrap();
    let visitor = Visitor::unsigned(By::Tls, 5, &sandbox.authorizers().unsigned);
    visitor.refused(&sandbox);
    let mut open = Visitor { client_id: "test-1".to_owned(), ..visitor.clone() }.connected(&sandbox);
    let answered = sandbox.authorizer_calls()[1].output["policyDocuments"].clone();
    assert_eq!(answered.as_array().unwrap().len(), 1);
    assert!(answered.to_string().contains("arn:aws:iot:us-east-1:123456789012:client/test-*"), "{answered}");
    assert_eq!(open.subscribe(&["other"]), [0x87]);

    sandbox.set_policies(Principal::Authorizer, &[POLICY.to_owned()]).unwrap();
    assert_eq!(open.subscribe(&["other"]), [1], "for the open connection too");
    visitor.connected(&sandbox);
    Visitor::signed(By::WebSocket, 5, &sandbox.authorizers().signed).connected(&sandbox);
    sandbox.set_policies(Principal::Authorizer, &[]).unwrap();
    assert_eq!(open.subscribe(&["another"]), [0x87]);
    assert!(sandbox.set_policies(Principal::Authorizer, &vec![POLICY.to_owned(); 11]).is_err());
    visitor.refused(&sandbox);
}
