//! Custom authorizers as other software sees them: the official Python client by both transports and the official Node
//! client over WebSocket are let in and refused as our own client is.

use std::process::Command;

use sandbox::{AuthorizerExample, Principal, Sandbox, SignedAuthorizerExample, Transport};
use serde_json::Value;
use testkit::peer::{self, PeerOutcome};

/// MQTT 5, section 2.4: "Not authorized".
const NOT_AUTHORIZED: i32 = 0x87;

/// An official client without the authorizer's values.
type Peer = fn(&Sandbox) -> Command;

const PEERS: [Peer; 3] = [python_directly, python_by_websocket, peer::node];

fn python_directly(sandbox: &Sandbox) -> Command {
    peer::python(sandbox, "custom-auth", sandbox.https_port())
}

fn python_by_websocket(sandbox: &Sandbox) -> Command {
    peer::python(sandbox, "custom-auth-websocket", sandbox.https_port())
}

fn unsigned(mut peer: Command, example: &AuthorizerExample) -> Command {
    peer.args(["--authorizer-name", &example.name, "--auth-username", &example.username]);
    peer.env("AWS_IOT_AUTH_PASSWORD", &example.password);
    peer
}

/// The signature is encoded already: the Python client would do it by itself, the Node client would not.
fn signed(mut peer: Command, example: &SignedAuthorizerExample) -> Command {
    peer.args(["--authorizer-name", &example.name, "--auth-username", &example.username]);
    peer.args(["--auth-token-key-name", &example.token_key_name]);
    peer.env("AWS_IOT_AUTH_PASSWORD", &example.password);
    peer.env("AWS_IOT_AUTH_TOKEN_VALUE", &example.token_value);
    peer.env("AWS_IOT_AUTH_SIGNATURE", encoded(&example.token_signature));
    peer
}

fn encoded(signature: &str) -> String {
    signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[track_caller]
fn assert_refused(peer: &mut Command) {
    let outcome = PeerOutcome::of(peer);
    assert_eq!(outcome.failed_with("connection_failure")["code"], NOT_AUTHORIZED, "{outcome}");
}

#[test]
fn without_signing_the_official_clients_hear_their_own_messages() {
    let sandbox = Sandbox::start().unwrap();
    for peer in PEERS {
        PeerOutcome::of(&mut unsigned(peer(&sandbox), &sandbox.authorizers().unsigned)).heard_itself();
    }
    let connections = sandbox.connections();
    let transports: Vec<_> = connections.iter().map(|connection| connection.transport).collect();
    assert_eq!(transports, [Transport::Tls, Transport::WebSocket, Transport::WebSocket]);
    assert!(connections.iter().all(|connection| connection.principal == Principal::Authorizer));
    let calls = sandbox.authorizer_calls();
    assert!(calls.iter().all(|call| call.input["signatureVerified"] == Value::Bool(false)), "{calls:?}");
}

#[test]
fn with_signing_the_official_clients_hear_their_own_messages() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    for peer in PEERS {
        PeerOutcome::of(&mut signed(peer(&sandbox), example)).heard_itself();
    }
    let calls = sandbox.authorizer_calls();
    assert_eq!(calls.len(), 3);
    for call in calls {
        assert_eq!(call.input["signatureVerified"], true);
        assert_eq!(call.input["token"], example.token_value.as_str());
    }
}

/// The Python client encodes a signature without `%` in it. The Node client does so when it connects directly, but not
/// over WebSocket: the sandbox then finds a space for each `+`.
#[test]
fn a_raw_signature_is_encoded_by_python_and_not_by_node() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    let raw = |peer: Peer| {
        let mut peer = signed(peer(&sandbox), example);
        peer.env("AWS_IOT_AUTH_SIGNATURE", &example.token_signature);
        peer
    };
    PeerOutcome::of(&mut raw(python_directly)).heard_itself();
    PeerOutcome::of(&mut raw(python_by_websocket)).heard_itself();
    assert_refused(&mut raw(peer::node));
    assert_eq!(sandbox.authorizer_calls().len(), 2);
}

#[test]
fn a_wrong_signature_is_refused_and_the_function_not_invoked() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    for peer in PEERS {
        let mut twice = signed(peer(&sandbox), example);
        twice.env("AWS_IOT_AUTH_SIGNATURE", encoded(&example.token_signature).replace('%', "%25"));
        assert_refused(&mut twice);
        let mut other_token = signed(peer(&sandbox), example);
        other_token.env("AWS_IOT_AUTH_TOKEN_VALUE", "another");
        assert_refused(&mut other_token);
    }
    assert!(sandbox.authorizer_calls().is_empty());
}

#[test]
fn a_wrong_password_and_an_unknown_authorizer_are_refused() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().unsigned;
    for peer in PEERS {
        let mut wrong = unsigned(peer(&sandbox), example);
        wrong.env("AWS_IOT_AUTH_PASSWORD", "wrong");
        assert_refused(&mut wrong);
        let mut unknown = unsigned(peer(&sandbox), example);
        unknown.args(["--authorizer-name", "unknown"]);
        assert_refused(&mut unknown);
    }
    assert_eq!(sandbox.authorizer_calls().len(), PEERS.len());
}

#[test]
fn the_policies_of_the_answer_hold() {
    let sandbox = Sandbox::start().unwrap();
    for peer in PEERS {
        let peer = || unsigned(peer(&sandbox), &sandbox.authorizers().unsigned);
        assert_refused(peer().args(["--client-id", "not-allowed"]));
        let outcome = PeerOutcome::of(peer().args(["--topic", "not/allowed"]));
        let refusal = outcome.failed_with("refused");
        assert_eq!(
            (&refusal["step"], &refusal["code"]),
            (&"subscribe".into(), &NOT_AUTHORIZED.into()),
            "{outcome}"
        );
    }
}
