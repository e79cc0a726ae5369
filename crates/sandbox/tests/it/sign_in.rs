//! AWS Sign-In, which renews a login.

use std::fs;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sandbox::{CredentialOutcome, Principal, Sandbox};
use serde_json::{Value, json};

use crate::support::services::{credentials, last_outcome};
use crate::support::signed::connack;
use crate::support::start;
use crate::support::tls::{Answer, http};

const NAMES: [&str; 3] = ["accessKeyId", "secretAccessKey", "sessionToken"];

/// The files of the login.
fn cached(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&fs::read(&sandbox.sign_in().cache_file).unwrap()).unwrap()
}

/// The private key of a login, from its PEM.
fn key(login: &Value) -> EcdsaKeyPair {
    let pem = login["dpopKey"].as_str().unwrap();
    let (_, rest) = pem.split_once("-----BEGIN EC PRIVATE KEY-----\n").unwrap();
    let base64 = rest.split_once("\n-----END EC PRIVATE KEY-----\n").unwrap().0.replace('\n', "");
    let der = STANDARD.decode(base64).unwrap();
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap()
}

fn header(key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y}})
}

fn claims(sandbox: &Sandbox, jti: &str) -> Value {
    let uri = format!("{}/v1/token", sandbox.sign_in().endpoint);
    json!({"jti": jti, "htm": "POST", "htu": uri, "iat": jiff::Timestamp::now().as_second()})
}

fn proof(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn input(refresh_token: &Value) -> Value {
    json!({
        "clientId": "arn:aws:signin:::devtools/same-device",
        "grantType": "refresh_token",
        "refreshToken": refresh_token,
    })
}

/// Asks for credentials, with these proofs.
fn renew(sandbox: &Sandbox, proofs: &[&str], body: &Value) -> Answer {
    let host = sandbox.sign_in().endpoint.strip_prefix("https://").unwrap();
    let proofs: String = proofs.iter().map(|proof| format!("DPoP: {proof}\r\n")).collect();
    let body = body.to_string();
    let head = format!("POST /v1/token HTTP/1.1\r\nHost: {host}\r\n{proofs}Content-Length: {}", body.len());
    http(sandbox, &format!("{head}\r\n\r\n{body}"))
}

#[track_caller]
fn refused(sandbox: &Sandbox, answer: &Answer, code: &str, error: &str, words: &str) {
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (400, code), "{answer:?}");
    assert_eq!(answer.json()["error"], error);
    assert!(answer.json()["message"].as_str().unwrap().contains(words), "{words}: {answer:?}");
    let outcome = CredentialOutcome::Refused { status: 400, error: code.to_owned() };
    assert_eq!(last_outcome(sandbox), outcome);
}

#[test]
fn a_login_leaves_credentials_and_is_renewed_with_a_proof_of_its_key() {
    let sandbox = start();
    let login = cached(&sandbox);
    let first = &login["accessToken"];
    assert_eq!(connack(&sandbox, &credentials(&sandbox, first, NAMES), "first"), 0);
    assert_eq!(sandbox.connections()[0].principal, Principal::Role);
    let expires: jiff::Timestamp = first["expiresAt"].as_str().unwrap().parse().unwrap();
    let left = expires.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((840..=900).contains(&left), "at most 15 minutes: {left}");
    assert_eq!(first["accountId"], sandbox.account_id());

    let key = key(&login);
    let good = |jti: &str| proof(&key, &header(&key), &claims(&sandbox, jti));
    let answer = renew(&sandbox, &[&good("1")], &input(&login["refreshToken"]));
    assert_eq!(answer.status, 200, "{answer:?}");
    let output = answer.json();
    assert_eq!((&output["tokenType"], &output["expiresIn"]), (&json!("aws_sigv4"), &json!(900)));
    let renewed = credentials(&sandbox, &output["accessToken"], NAMES);
    assert_eq!(connack(&sandbox, &renewed, "renewed"), 0);

    let used = renew(&sandbox, &[&good("2")], &input(&login["refreshToken"]));
    refused(&sandbox, &used, "AccessDeniedException", "TOKEN_EXPIRED", "has been used");
    let next = renew(&sandbox, &[&good("3")], &input(&output["refreshToken"]));
    assert_eq!(next.status, 200, "{next:?}");
}

#[test]
fn a_proof_that_is_not_one_is_refused() {
    let sandbox = start();
    let login = cached(&sandbox);
    let key = key(&login);
    let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (head, good) = (header(&key), claims(&sandbox, "good"));
    let head_with = |pointer: &str, value: Value| changed(&head, pointer, value);
    let with = |pointer: &str, value: Value| proof(&key, &head, &changed(&good, pointer, value));
    let ago = |seconds: i64| json!(jiff::Timestamp::now().as_second() - seconds);
    let (first, rest) =
        proof(&key, &head, &good).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for (proof, words) in [
        ("x".to_owned(), "no JWT"),
        (format!("{first}=.{rest}"), "no JWT"),
        (proof(&key, &head_with("/typ", json!("JWT")), &good), "typ, alg or jwk"),
        (proof(&key, &head_with("/alg", json!("none")), &good), "typ, alg or jwk"),
        (proof(&key, &head_with("/jwk/crv", json!("P-384")), &good), "typ, alg or jwk"),
        (proof(&key, &head_with("/jwk/x", json!("AAAA")), &good), "typ, alg or jwk"),
        (proof(&key, &head_with("/jwk/d", json!("AAAA")), &good), "typ, alg or jwk"),
        (proof(&other, &header(&other), &good), "another key"),
        (proof(&other, &head, &good), "signature is wrong"),
        (with("/htm", json!("GET")), "another request"),
        (with("/htu", json!("https://localhost/v1/token")), "another request"),
        (with("/iat", ago(400)), "five minutes"),
        (with("/iat", ago(-400)), "five minutes"),
        (with("/iat", json!(i64::MAX)), "five minutes"),
        (with("/jti", json!("")), "used before"),
        (with("/jti", json!(1)), "no JWT"),
    ] {
        let answer = renew(&sandbox, &[&proof], &input(&login["refreshToken"]));
        refused(&sandbox, &answer, "ValidationException", "INVALID_REQUEST", words);
    }
    let good = proof(&key, &head, &good);
    for proofs in [&[][..], &[&*good, &good]] {
        let answer = renew(&sandbox, proofs, &input(&login["refreshToken"]));
        refused(&sandbox, &answer, "ValidationException", "INVALID_REQUEST", "One DPoP proof");
    }
    assert_eq!(renew(&sandbox, &[&good], &input(&login["refreshToken"])).status, 200);
    let again = renew(&sandbox, &[&good], &input(&login["refreshToken"]));
    refused(&sandbox, &again, "ValidationException", "INVALID_REQUEST", "used before");
}

#[test]
fn a_request_without_its_parts_is_refused() {
    let sandbox = start();
    let login = cached(&sandbox);
    let key = key(&login);
    let whole = input(&login["refreshToken"]);
    for (body, words) in [
        (json!([]), "The body is not valid"),
        (json!({"clientId": "arn:aws:signin:::devtools/same-device"}), "grantType"),
        (changed(&whole, "/clientId", json!("me")), "clientId"),
        (changed(&whole, "/grantType", json!("authorization_code")), "refresh_token"),
    ] {
        let proof = proof(&key, &header(&key), &claims(&sandbox, words));
        let answer = renew(&sandbox, &[&proof], &body);
        refused(&sandbox, &answer, "ValidationException", "INVALID_REQUEST", words);
    }
}

/// A copy with another value, or one value more.
fn changed(value: &Value, pointer: &str, new: Value) -> Value {
    let mut value = value.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[name] = new;
    value
}
