//! The user name of CONNECT is the one that the official Python client builds from the same values.

use std::io::Write;
use std::process::{Command, Stdio};

use iot_client::custom_auth::{CustomAuthorizer, SignedToken};
use percent_encoding::percent_decode_str;
use sandbox::Sandbox;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testkit::{Sample, peer, workspace};

/// What the official client's builder makes of each case: user name and password.
fn official(cases: &[Value]) -> Vec<(String, Option<String>)> {
    let mut python = Command::new(peer::python_interpreter());
    python.env_clear().arg("-I").arg(workspace().join("crates/testkit/python/custom_auth_username.py"));
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ours(case: &Value) -> (String, Option<String>) {
    let text = |name: &str| case[name].as_str().map(str::to_owned);
    let token = text("auth_token_key_name").map(|key| {
        let signature = text("auth_authorizer_signature").unwrap_or_default();
        SignedToken::new(key, text("auth_token_value").unwrap_or_default().into(), &signature.into()).unwrap()
    });
    let password = text("auth_password").map(Into::into);
    let authorizer =
        CustomAuthorizer::new(text("auth_authorizer_name"), text("auth_username"), password, token).unwrap();
    (
        authorizer.connect_username().expose_secret().to_owned(),
        authorizer.connect_password().map(|password| password.expose_secret().to_owned()),
    )
}

/// The user before the query, and the query's pairs: the guide gives them no order.
fn parsed(username: &str) -> (String, Vec<(String, String)>) {
    let (user, query) = username.split_once('?').unwrap_or((username, ""));
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    pairs.sort();
    (user.to_owned(), pairs)
}

#[test]
fn the_same_values_give_the_same_username() {
    let users = [None, Some("alice"), Some("alice?tenant=1"), Some("Grüße & more")];
    let names = [None, Some("mine"), Some("my%3Dauthorizer")];
    let tokens = [
        None,
        Some(("Token", "v", "+/+/abcd/w==")),
        Some(("Token", "a%26b%20c", "%2B%2F%2B%2Fabcd%2Fw%3D%3D")),
        Some(("my-token", "eyJhbGciOiJIUzI1NiJ9.e30.x-_y=", "%2B/%2B/abcd/w%3D%3D")),
        Some(("Token", "é+=", "abcd")),
    ];
    let mut cases = Vec::new();
    for user in users {
        for name in names {
            for token in tokens {
                let (key, value, signature) =
                    token.map_or((None, None, None), |(k, v, s)| (Some(k), Some(v), Some(s)));
                cases.push(json!({
                    "auth_username": user, "auth_authorizer_name": name, "auth_password": token.map(|_| "secret"),
                    "auth_token_key_name": key, "auth_token_value": value, "auth_authorizer_signature": signature,
                }));
            }
        }
    }
    let official = official(&cases);
    assert_eq!((cases.len(), official.len()), (60, 60));
    for (case, official) in cases.iter().zip(official) {
        let ours = ours(case);
        assert_eq!(parsed(&ours.0), parsed(&official.0), "{case}");
        assert_eq!(ours.1, official.1, "{case}");
    }
}

/// It leaves the signature's / as it is; we encode it. A broker has to take both.
#[test]
fn the_sandbox_takes_the_signature_as_either_client_encodes_it() {
    let sandbox = Sandbox::start().unwrap();
    let example = &sandbox.authorizers().signed;
    let case = json!({
        "auth_username": example.username, "auth_authorizer_name": example.name,
        "auth_password": example.password, "auth_token_key_name": example.token_key_name,
        "auth_token_value": example.token_value, "auth_authorizer_signature": example.token_signature,
    });
    let (theirs, ours) = (official(std::slice::from_ref(&case)).remove(0).0, ours(&case).0);
    assert_ne!(theirs, ours);
    assert_eq!(parsed(&theirs), parsed(&ours));
    // A user name with the whole query goes out as it is.
    for username in [theirs, ours] {
        Sample::new(env!("CARGO_BIN_EXE_custom_auth_connect"))
            .https(&sandbox)
            .args(["--auth-username", &username])
            .env("AWS_IOT_AUTH_PASSWORD", &example.password)
            .run()
            .succeeded();
    }
}
